"""The page of the nights: freshness, runs, how long they took, audits, rejects, violations."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pandas as pd
import streamlit as st

from fashionrec.dashboard import drawing, figures, page
from fashionrec.dashboard.told import (
    audits,
    counts_of,
    rejects,
    runs,
    seconds_of,
    summed_rejects,
    summed_violations,
    violations,
)
from fashionrec.dashboard.warehouse import Warehouse
from fashionrec.errors import FashionrecError, StaleError
from fashionrec.read import TableReader
from fashionrec.status import check_freshness, last_runs
from fashionrec.tables import HELD, RECOMMENDATIONS, VIOLATIONS

_FRESH = timedelta(hours=26)
_SHOWN = 20
_MOST_ROWS = 1_000
_Summed = Callable[[Warehouse], pd.DataFrame]
_Each = Callable[[Warehouse, int], pd.DataFrame]


def show() -> None:
    """Draw the page."""
    source = page.warehouse()
    st.title("Nights")
    history = last_runs(source.path, page.config().lock)
    _freshness(source, history)
    table = page.kept(source, runs, history)
    _runs(table)
    drawing.figure("Seconds per step", seconds_of(table.head(_SHOWN)), figures.steps)
    _details(table)
    _rejects(source)
    _violations(source)


def _freshness(source: Warehouse, history: list[dict[str, Any]]) -> None:
    held = TableReader(source.path).state(RECOMMENDATIONS).get(HELD)
    try:
        st.success(page.plain(check_freshness(history, _FRESH, held)), icon=":material/check:")
    except StaleError as error:
        st.warning(page.plain(str(error)), icon=":material/schedule:")
    except FashionrecError as error:
        st.error(page.plain(str(error)))


def _runs(table: pd.DataFrame) -> None:
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("**Runs**", width="stretch")
            drawing.download("Runs", table.drop(columns=["counts", "steps"]))
        st.dataframe(
            table[["started_at", "job", "status", "seconds", "run_id", "message"]],
            hide_index=True,
            height=min(35 * (len(table) + 1) + 3, 360),
            column_config={
                "started_at": st.column_config.DatetimeColumn(
                    "Began (UTC)", format="YYYY-MM-DD HH:mm"
                ),
                "job": "Job",
                "status": "Status",
                "seconds": st.column_config.NumberColumn("Seconds", format="%.1f"),
                "run_id": "Run",
                "message": "Message",
            },
        )


def _details(table: pd.DataFrame) -> None:
    nights = table[table["counts"].map(bool)]
    if not len(nights):
        return
    run_id: str = st.selectbox("Details of run", nights["run_id"], width=360)
    row = nights[nights["run_id"] == run_id].iloc[0]
    left, right = st.columns(2)
    with left, st.container(border=True):
        st.markdown("**Counts**")
        st.dataframe(
            counts_of(row["counts"]),
            hide_index=True,
            column_config={"count": st.column_config.NumberColumn(format="localized")},
        )
    with right, st.container(border=True):
        st.markdown("**Audits**")
        rows = audits(row.to_dict(), page.config().audits)
        st.dataframe(rows, hide_index=True, height="content")
        st.caption(
            "Limits as the settings have them now. A run in which nothing changed audits none."
        )


def _rejects(source: Warehouse) -> None:
    title, none = "Rejects of the catalogue as it stands", "Everything of the catalogue was usable."
    _rows(source, title, none, summed_rejects, rejects)


def _violations(source: Warehouse) -> None:
    if VIOLATIONS.name in dict(source.key):  # an older warehouse lacks the table
        title, none = "Products that are not as expected", "Every product is as expected."
        _rows(source, title, none, summed_violations, violations)


def _rows(source: Warehouse, title: str, none: str, summed: _Summed, each: _Each) -> None:
    rows = page.kept(source, summed)
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{title}**", width="stretch")
            drawing.download(title, page.kept(source, each, 1 << 20))
        if not len(rows):
            st.text(none)
            return
        st.dataframe(rows, hide_index=True)
        with st.expander("Each of them"):
            st.dataframe(page.kept(source, each, _MOST_ROWS), hide_index=True)
