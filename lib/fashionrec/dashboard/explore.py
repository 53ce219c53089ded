"""The page that explores the catalogue."""

from collections.abc import Callable
from functools import partial

import pandas as pd
import streamlit as st

from fashionrec.dashboard import catalogue, drawing, figures, page
from fashionrec.dashboard.filters import FIELDS, Filters
from fashionrec.dashboard.warehouse import Warehouse
from fashionrec.dashboard.words import cloud, count_words

_MOST_BARS = 25
_VIEWS = ("Products", "Composition", "Hierarchy", "Years", "Seasons and use", "Names", "Flow")


def show() -> None:
    """Draw the page."""
    source = page.warehouse()
    page.encoder(source)  # loads while people look around
    with st.sidebar:
        st.subheader("Filters")
        filters = page.filters_of(source, st)
    st.title("Explore the catalogue")
    _totals(source, filters)
    view = page.choose("view", _VIEWS)
    if view == _VIEWS[0]:
        _products(source, filters)
    else:
        _DRAWN[view](source, filters)


def _totals(source: Warehouse, filters: Filters) -> None:
    sums = page.kept(source, catalogue.totals, filters=filters)
    years = page.kept(source, catalogue.per_year, filters=filters)
    with st.container(horizontal=True):
        st.metric("Products", f"{sums['products']:,}", width=150)
        st.metric("With a picture", f"{sums['pictures']:,}", width=150)
        st.metric("Article types", f"{sums['types']:,}", width=150)
        st.metric("Different names", f"{sums['names']:,}", width=150)
        if len(years):
            last = years.iloc[-1]
            change = None if last["growth"] != last["growth"] else f"{last['growth']:+,.0f}%"
            st.metric(
                f"Products of {last['year']:.0f}", f"{last['products']:,.0f}", change, width=150
            )


def _products(source: Warehouse, filters: Filters) -> None:
    size = page.config().dashboard.products_per_page
    text = st.text_input(
        "Search by name or id",
        key="text",
        max_chars=200,
        bind="query-params",
        placeholder="Any",
        on_change=page.to_first_page,
    )
    number = page.whole_number("page", 1)
    count, rows = page.kept(source, catalogue.page_of, text or "", number, size, filters=filters)
    if not count:
        st.info("No product fits these filters.", icon=":material/filter_alt_off:")
        return
    pages = -(-count // size)
    number = min(max(number, 1), pages)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(f"{count:,} products, page {number:,} of {pages:,}", width="stretch")
        drawing.download("Products on this page", rows)
    drawing.grid(
        source,
        rows,
        lambda row: [f"{row['article_type']}, {row['base_colour']}"],
        drawing.link_to_similar,
    )
    if pages > 1:
        drawing.turn_pages(number, pages)


def _composition(source: Warehouse, filters: Filters) -> None:
    name = _field("article_type")
    rows = page.kept(source, catalogue.count_by, name, filters=filters)
    shown = min(len(rows), _MOST_BARS)
    note = f"The {shown} largest of {len(rows)}; the CSV has these." if len(rows) > shown else ""
    drawing.figure(
        f"Products by {FIELDS[name].lower()}",
        rows.head(_MOST_BARS),
        partial(figures.bars, name=name),
        note,
    )
    left, right = st.columns(2)
    for column, other in ((left, "gender"), (right, "master_category")):
        with column:
            drawing.figure(
                f"Shares by {FIELDS[other].lower()}",
                page.kept(source, catalogue.count_by, other, filters=filters),
                partial(figures.donut, name=other),
            )


def _hierarchy(source: Warehouse, filters: Filters) -> None:
    path = ("master_category", "sub_category", "article_type")
    rows = page.kept(source, catalogue.count_by, *path, filters=filters)
    drawing.figure(
        "Categories as a treemap",
        rows,
        lambda rows: figures.hierarchy(rows, path, sunburst=False),
        "Click a category to look inside.",
    )
    rings = ("gender", "master_category", "sub_category")
    drawing.figure(
        "Genders and categories as a sunburst",
        page.kept(source, catalogue.count_by, *rings, filters=filters),
        lambda rows: figures.hierarchy(rows, rings, sunburst=True),
    )


def _years(source: Warehouse, filters: Filters) -> None:
    drawing.figure(
        "Growth per year", page.kept(source, catalogue.per_year, filters=filters), figures.growth
    )
    name = _field("master_category")
    rows = page.kept(source, catalogue.per_year_and, name, filters=filters)
    for title, kind in (("area", "area"), ("stacked bars", "bars")):
        drawing.figure(
            f"Products per year by {FIELDS[name].lower()}, {title}",
            rows,
            partial(figures.over_years, name=name, kind=kind),
        )


def _seasons(source: Warehouse, filters: Filters) -> None:
    drawing.figure(
        "Season and usage",
        page.kept(source, catalogue.count_by, "season", "usage", filters=filters),
        lambda rows: figures.heat_map(rows, "usage", "season"),
    )
    drawing.figure(
        "Season and gender",
        page.kept(source, catalogue.count_by, "season", "gender", filters=filters),
        lambda rows: figures.heat_map(rows, "season", "gender"),
    )


def _names(source: Warehouse, filters: Filters) -> None:
    words = page.kept(source, _words, filters=filters)
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("**Words of product names**", width="stretch")
            if len(words):
                drawing.download("Words of product names", words)
        if not len(words):
            st.info("No product fits these filters.", icon=":material/filter_alt_off:")
            return
        drawn = page.kept(source, _cloud, filters=filters)
        drawing.draw_picture(drawn, "stretch", "Words of product names")
        st.download_button(
            "PNG",
            drawn,
            "words.png",
            "image/png",
            icon=":material/image:",
            on_click="ignore",
            type="tertiary",
        )


def _words(source: Warehouse, filters: Filters) -> pd.DataFrame:
    return count_words(catalogue.names_of(source, filters))


def _cloud(source: Warehouse, filters: Filters) -> bytes:
    return cloud(_words(source, filters))


def _flow(source: Warehouse, filters: Filters) -> None:
    drawing.figure(
        "From the catalogue to recommendations",
        page.kept(source, catalogue.flow, filters=filters),
        figures.funnel,
    )


def _field(default: str) -> str:
    """Ask by which field; a URL may name it."""
    names = list(FIELDS)
    name: str = st.selectbox(
        "By",
        names,
        index=names.index(default),
        format_func=FIELDS.__getitem__,
        key=f"by-{default}",
        width=240,
    )
    return name


_DRAWN: dict[str, Callable[[Warehouse, Filters], None]] = {
    "Composition": _composition,
    "Hierarchy": _hierarchy,
    "Years": _years,
    "Seasons and use": _seasons,
    "Names": _names,
    "Flow": _flow,
}
