"""The page that judges the model: reports, confusions, mistakes, and a map of the embeddings."""

import base64
import json
from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from fashionrec.config import resolve
from fashionrec.dashboard import drawing, figures, page
from fashionrec.dashboard.judged import (
    confusions,
    map_of,
    mistakes,
    precision_of,
    slices_of,
)
from fashionrec.dashboard.pictures import point
from fashionrec.dashboard.theme import CATEGORIES
from fashionrec.dashboard.warehouse import Warehouse

_VIEWS = ("Report", "Confusions", "Mistakes", "Map")
_MOST_TYPES = 30


def show() -> None:
    """Draw the page."""
    source = page.warehouse()
    st.title("Quality of the model")
    view = page.choose("view", _VIEWS)
    if view == _VIEWS[0]:
        _report()
    else:
        {"Confusions": _confusions, "Mistakes": _mistakes, "Map": _map}[view](source)


def _report() -> None:
    folder = resolve(page.config().evaluate.folder)
    files = sorted(folder.glob("*/report.json"), key=lambda f: f.stat().st_mtime, reverse=True)
    if not files:
        st.info("There is no evaluation yet. This command makes one:")
        st.code("./spark-submit.sh evaluate", language="bash")
        return
    file = st.selectbox("Report of", files, format_func=lambda f: f.parent.name, width=400)
    report = _read(file, file.stat().st_mtime)
    rows = report["rows"]
    st.caption(
        f"On {rows['validation']:,} pictures and {rows['unseen']:,} products that no training saw"
    )
    for name, told in report["classification"].items():
        with st.container(border=True):
            st.text(name)
            with st.container(horizontal=True):
                top1 = told["top1"]
                st.metric(
                    "Right answers",
                    f"{top1['value']:.1%}",
                    width=150,
                    help=f"95% interval {top1['low']:.1%} to {top1['high']:.1%}",
                )
                st.metric("Mean over types", f"{told['macro']:.1%}", width=150)
                st.metric("Calibration error", f"{told['calibration']['error']:.3f}", width=150)
                st.metric("Accepted", f"{told['accepted']['coverage']:.0%}", width=150)
    drawing.figure("Precision of the lists", precision_of(report), figures.precision)
    worst = slices_of(report)
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("**Worst slices**", width="stretch")
            drawing.download("Worst slices", worst)
        st.dataframe(
            worst,
            hide_index=True,
            column_config={
                "precision": st.column_config.NumberColumn(format="%.3f"),
                "queries": st.column_config.NumberColumn(format="localized"),
            },
        )
    for warning in report["warnings"]:
        st.warning(page.plain(warning))


@st.cache_data(max_entries=20, show_spinner=False)
def _read(file: Path, changed: float) -> dict[str, Any]:  # noqa: ARG001
    return dict(json.loads(file.read_bytes()))


def _confusions(source: Warehouse) -> None:
    rows = page.kept(source, confusions, _MOST_TYPES)
    drawing.figure(
        "Confusions of article types",
        rows,
        figures.confusion,
        f"All products of the warehouse, those that the model was trained on among them; the "
        f"{_MOST_TYPES} types that are confused most often.",
    )


def _mistakes(source: Warehouse) -> None:
    size = page.config().dashboard.products_per_page
    rows = page.kept(source, mistakes)
    if not len(rows):
        st.info("The model calls every product what the catalogue calls it.")
        return
    types = rows["article_type"].value_counts()
    wanted = st.selectbox(
        "Catalogued as",
        [None, *types.index],
        format_func=lambda t: f"{t} ({types[t]:,})" if t else f"All types ({len(rows):,})",
        width=320,
    )
    shown = rows[rows["article_type"] == wanted] if wanted else rows
    pages = -(-len(shown) // size)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text("Likely errors of the catalogue first", width="stretch")
        drawing.download("Mistakes", shown)
    number = min(max(page.whole_number("page", 1), 1), pages)
    part = shown.iloc[(number - 1) * size : number * size]
    drawing.grid(
        source,
        part,
        lambda row: [
            f"is {row['article_type']}",
            f"called {row['predicted_article_type']}",
            f"at {row['predicted_probability']:.0%}",
        ],
        drawing.link_to_similar,
    )
    if pages > 1:
        drawing.turn_pages(number, pages)


def _map(source: Warehouse) -> None:
    if source.searchable is None:
        st.info(f"There is no map yet: the next night ({page.NIGHTLY}) sees to it.")
        return
    rows = page.kept(source, map_of, page.config().dashboard.points_of_map)
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("**Map of the embeddings**", width="stretch")
            drawing.download("Map of the embeddings", rows)
        st.caption(
            f"{len(rows):,} products, drawn at random, by the two main directions in which "
            "their embeddings differ. Products that look alike are close to each other."
        )
        st.altair_chart(
            _map_chart(rows.assign(image=page.kept(source, _points, tuple(rows["id"]))))
        )


def _points(source: Warehouse, ids: tuple[int, ...]) -> list[str]:
    found = {i: point(content) for i, content in source.contents(ids).items()}
    return [f"data:image/jpeg;base64,{base64.b64encode(found[i]).decode()}" for i in ids]


def _map_chart(rows: pd.DataFrame) -> alt.Chart:
    order = rows["master_category"].value_counts().index.tolist()
    plain = alt.Axis(labels=False, ticks=False, title=None, grid=False, domain=False)
    chart: alt.Chart = (
        alt.Chart(rows)
        .mark_circle(size=42, opacity=0.75)
        .encode(
            x=alt.X("x:Q", axis=plain, scale=alt.Scale(zero=False)),
            y=alt.Y("y:Q", axis=plain, scale=alt.Scale(zero=False)),
            color=alt.Color(
                "master_category:N",
                sort=order,
                scale=alt.Scale(domain=order, range=CATEGORIES),
                legend=alt.Legend(title=None, orient="bottom", columns=2),
            ),
            tooltip=["image:N", "name:N", "article_type:N", "id:N"],
        )
        .properties(height=560)
        .interactive()
    )
    return chart
