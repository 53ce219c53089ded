"""The log-in of the page, where one is configured."""

import streamlit as st

from fashionrec.dashboard.access import Guard, is_allowed, log_in_of
from fashionrec.dashboard.page import plain
from fashionrec.settings import DashboardSettings


@st.cache_resource
def _guard(password: str) -> Guard:
    return Guard(password)


def require_log_in(settings: DashboardSettings) -> None:
    """End the page for who has not logged in, or may not see it."""
    log_in = log_in_of(settings)
    if log_in.openid:
        _require_account(settings)
    elif log_in.password is not None and not st.session_state.get("admitted"):
        _ask(_guard(log_in.password))


def _require_account(settings: DashboardSettings) -> None:
    if not st.user.is_logged_in:
        st.title("fashionrec")
        st.button("Log in", on_click=st.login, type="primary")
        st.stop()
    who = plain(str(st.user.get("email") or st.user.get("name") or st.user.get("sub")))
    if not is_allowed(st.user.to_dict(), settings.allow_emails):
        st.title("fashionrec")
        st.error(f"{who} may not see this page.", icon=":material/block:")
        st.button("Log out", on_click=st.logout, key="log-out")
        st.stop()
    with st.sidebar:
        st.caption(who)
        st.button("Log out", on_click=st.logout, key="log-out")


def _ask(guard: Guard) -> None:
    st.title("fashionrec")
    with st.form("log-in", width=360):
        given = st.text_input("Password", type="password", max_chars=1_000)
        sent = st.form_submit_button("Log in", type="primary")
    if sent:
        verdict = guard.admits(given)
        if verdict:
            st.session_state["admitted"] = True
            st.rerun()
        st.error("Wrong password." if verdict is False else "Too many tries: wait a minute.")
    st.stop()
