"""One product: what is known of it, its lists, and how it compares with another."""

from typing import Any

import streamlit as st

from fashionrec.dashboard import catalogue, drawing, page
from fashionrec.dashboard.encoding import Verdict
from fashionrec.dashboard.filters import Filters
from fashionrec.dashboard.results import (
    draw_results,
    draw_verdict,
    name_of,
    not_searchable,
    search,
)
from fashionrec.dashboard.warehouse import Warehouse

_COMPARED = {
    "product_display_name": "Name",
    "gender": "Gender",
    "master_category": "Master category",
    "sub_category": "Sub category",
    "article_type": "Article type",
    "base_colour": "Base colour",
    "season": "Season",
    "year": "Year",
    "usage": "Usage",
    "brand": "Brand",
    "price": "Price",
    "predicted_article_type": "Type by the model",
}


def draw_product_and_lists(source: Warehouse, filters: Filters, told: dict[str, Any]) -> None:
    """Draw a product, its comparison with another that the URL names, and its lists."""
    product_id = int(told["product_id"])
    picture = source.tiles([product_id]).get(product_id)
    left, right = st.columns([1, 2])
    with left:
        if picture is None:
            drawing.no_picture(240)
        else:
            drawing.draw_picture(picture, 240, name_of(told))
    with right:
        st.caption(f"Product {product_id}")
        st.text(name_of(told))
        st.dataframe(
            {title: [str(told.get(name, "—"))] for name, title in list(_COMPARED.items())[1:-1]},
            hide_index=True,
        )
        _predicted(told)
    other = page.whole_number("compare", -1)
    if other != product_id and (second := catalogue.told_of(source, [other]).get(other)):
        _compare(source, told, second)
    if picture is None:
        st.info("This product has no usable picture, so it has no neighbours.")
    elif filters:
        _searched_lists(source, filters, told)
    else:
        _published_lists(source, told)


def _predicted(told: dict[str, Any]) -> None:
    if "predicted_article_type" not in told:
        return
    probability = float(told["predicted_probability"])
    sure = told.get("predicted_accepted")
    draw_verdict(Verdict([(told["predicted_article_type"], probability)], sure))


def _published_lists(source: Warehouse, told: dict[str, Any]) -> None:
    rows = page.kept(source, catalogue.published, int(told["product_id"]))
    if not len(rows):
        st.info(f"Nothing is published for this product yet: run {page.NIGHTLY}")
    for name in rows["list"].unique():
        st.subheader(str(name).replace("_", " ").capitalize())
        mine = rows[rows["list"] == name]
        found = list(zip(mine["neighbour_id"], mine["similarity"], strict=True))
        draw_results(source, found, told, str(name))


def _searched_lists(source: Warehouse, filters: Filters, told: dict[str, Any]) -> None:
    """The filters leave nothing of a published list as it is, so it is searched anew."""
    product_id = int(told["product_id"])
    vector = source.searchable and source.searchable.vector_of(product_id)
    st.subheader("Similar, within the filters")
    if vector is None:
        not_searchable()
        return
    draw_results(source, search(source, vector, filters, but=product_id), told)


def _compare(source: Warehouse, first: dict[str, Any], second: dict[str, Any]) -> None:
    ids = [int(first["product_id"]), int(second["product_id"])]
    tiles = source.tiles(ids)
    with st.container(border=True):
        st.subheader("Side by side")
        with st.container(horizontal=True, gap="small"):
            for told, product_id in zip((first, second), ids, strict=True):
                with st.container(width=drawing.TILE_WIDTH):
                    drawing.draw_product({"name": name_of(told)}, tiles.get(product_id))
        searchable = source.searchable
        vectors = [searchable.vector_of(i) for i in ids] if searchable else [None, None]
        if vectors[0] is not None and vectors[1] is not None:
            st.metric("Similarity", f"{float(vectors[0] @ vectors[1]):.3f}", width=160)
        values = [[str(told.get(name, "—")) for name in _COMPARED] for told in (first, second)]
        same = ["yes" if a == b else "no" for a, b in zip(*values, strict=True)]
        st.dataframe(
            {
                "": list(_COMPARED.values()),
                str(ids[0]): values[0],
                str(ids[1]): values[1],
                "Same": same,
            },
            hide_index=True,
            height="content",
        )
