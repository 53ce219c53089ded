"""The page's script, which Streamlit runs anew for each thing that somebody does."""

import streamlit as st

from fashionrec.dashboard import explore, nights, page, quality, similar
from fashionrec.dashboard.gate import require_log_in
from fashionrec.dashboard.pictures import favicon

st.set_page_config(
    page_title="fashionrec",
    page_icon=favicon(),
    layout="wide",
    initial_sidebar_state="auto",
)
require_log_in(page.config().dashboard)
_PAGES = {
    "explore": st.Page(explore.show, title="Explore", icon=":material/bar_chart:", default=True),
    "similar": st.Page(
        similar.show, title="Find similar", icon=":material/image_search:", url_path="similar"
    ),
    "quality": st.Page(
        quality.show, title="Quality", icon=":material/verified:", url_path="quality"
    ),
    "nights": st.Page(nights.show, title="Nights", icon=":material/bedtime:", url_path="nights"),
}
st.session_state["similar_page"] = _PAGES["similar"]
# Streamlit shows the first page at / and nowhere else, but people write the address of any.
_ALSO = st.Page(explore.show, title="Explore", url_path="explore", visibility="hidden")
st.navigation([*_PAGES.values(), _ALSO], position="top").run()
