"""The page that finds similar products: of a product, an uploaded picture, or one at a URL."""

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from fashionrec.dashboard import catalogue, page
from fashionrec.dashboard.encoding import (
    PictureEncoder,
    Verdict,
    fetch_picture,
    reason_of,
    require_usable,
    verdict_of,
)
from fashionrec.dashboard.filters import Filters
from fashionrec.dashboard.pictures import tile
from fashionrec.dashboard.warehouse import Warehouse
from fashionrec.errors import FashionrecError

_SOURCES = ("Product", "Upload", "Link")
_FOUND, _K = 12, 5
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


def show() -> None:
    """Draw the page."""
    source = page.warehouse()
    page.encoder(source)
    with st.sidebar:
        st.subheader("Only find")
        filters = page.filters_of(source, st)
    st.title("Find similar")
    by = page.choose("by", _SOURCES)
    if by == "Product":
        _by_product(source, filters)
    else:
        _by_picture(source, filters, by)


def _by_product(source: Warehouse, filters: Filters) -> None:
    product_id = page.whole_number("product", -1)
    told = catalogue.told_of(source, [product_id]).get(product_id)
    text = st.text_input("Search by name or id", key="search", max_chars=200, placeholder="Any")
    if text or told is None:
        _choose(source, text or "")
    if told is not None:
        _product(source, filters, told)


def _choose(source: Warehouse, text: str) -> None:
    count, rows = page.kept(source, catalogue.page_of, text, 1, _FOUND, filters=Filters())
    if not count:
        st.info("No product has this name or id.", icon=":material/search_off:")
        return
    st.caption(f"{count:,} products; choose one by the number below its picture")
    page.grid(source, rows, lambda _: [], lambda row: _lead_on("found", row))


def _product(source: Warehouse, filters: Filters, told: dict[str, Any]) -> None:
    product_id = int(told["product_id"])
    picture = source.tiles([product_id]).get(product_id)
    left, right = st.columns([1, 2])
    with left:
        if picture is None:
            page.no_picture(240)
        else:
            page.draw_picture(picture, 240, _name(told))
    with right:
        st.caption(f"Product {product_id}")
        st.text(_name(told))
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
    _verdict(Verdict([(told["predicted_article_type"], probability)], sure))


def _verdict(verdict: Verdict) -> None:
    if not verdict.classes:
        st.text("The model has no classes.")
        return
    name, probability = verdict.classes[0]
    unsure = verdict.sure is not None and not verdict.sure
    said = "The model is not sure; most likely" if unsure else "The model sees"
    st.text(f"{said}: {name} ({probability:.0%})")
    if len(verdict.classes) > 1:
        st.dataframe(
            {
                "Article type": [each for each, _ in verdict.classes],
                "Probability": [100 * value for _, value in verdict.classes],
            },
            hide_index=True,
            width=360,
            column_config={
                "Probability": st.column_config.ProgressColumn(
                    format="%.1f%%", min_value=0, max_value=100
                )
            },
        )


def _published_lists(source: Warehouse, told: dict[str, Any]) -> None:
    rows = page.kept(source, catalogue.published, int(told["product_id"]))
    if not len(rows):
        st.info(f"Nothing is published for this product yet: run {page.NIGHTLY}")
    for name in rows["list"].unique():
        st.subheader(str(name).replace("_", " ").capitalize())
        mine = rows[rows["list"] == name]
        found = list(zip(mine["neighbour_id"], mine["similarity"], strict=True))
        _results(source, found, told, str(name))


def _searched_lists(source: Warehouse, filters: Filters, told: dict[str, Any]) -> None:
    """The filters leave nothing of a published list as it is, so it is searched anew."""
    product_id = int(told["product_id"])
    vector = source.searchable and source.searchable.vector_of(product_id)
    st.subheader("Similar, within the filters")
    if vector is None:
        _not_searchable()
        return
    _results(source, _search(source, vector, filters, but=product_id), told)


def _search(
    source: Warehouse, vector: Any, filters: Filters, but: int = -1
) -> list[tuple[int, float]]:
    searchable = source.searchable
    assert searchable is not None
    among = None
    if filters or but >= 0:
        sql = f"SELECT product_id FROM catalogue WHERE {filters.where} AND product_id <> ?"
        among = np.isin(searchable.ids, source.rows(sql, [*filters.values, but])["product_id"])
    return searchable.nearest(vector, _K, among)


def _by_picture(source: Warehouse, filters: Filters, by: str) -> None:
    loading = page.encoder(source)
    if loading is None:
        _not_searchable()
        return
    try:
        content = _uploaded() if by == "Upload" else _linked()
        if content is None:
            return
        with st.spinner("Loading the model …"):
            model = loading.result()
        _answer(source, filters, content, model)
    except FashionrecError as error:
        st.error(page.plain(str(error)), icon=":material/block:")


def _uploaded() -> bytes | None:
    given = st.file_uploader(
        "A picture: JPEG, PNG or WebP", type=["jpg", "jpeg", "png", "webp"], key="upload"
    )
    return require_usable(given.getvalue(), page.config()) if given else None


def _linked() -> bytes | None:
    with (
        st.form("link", border=False),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        url = st.text_input("The URL of a picture", placeholder="https://…", max_chars=8_192)
        sent = st.form_submit_button("Search", type="primary")
    if sent:
        st.session_state["linked"] = None
        if url.strip():
            with st.spinner("Fetching …"):
                st.session_state["linked"] = fetch_picture(url, page.config())
    linked: bytes | None = st.session_state.get("linked")
    return linked


def _answer(source: Warehouse, filters: Filters, content: bytes, model: PictureEncoder) -> None:
    encoded = model.encode(content)
    left, right = st.columns([1, 2])
    with left:
        page.draw_picture(tile(content), 240, "The picture that is searched with")
    with right:
        verdict = verdict_of(encoded, model.model)
        _verdict(verdict)
    st.subheader("Most similar products")
    seen = {"article_type": verdict.classes[0][0]} if verdict.classes else {}
    _results(source, _search(source, encoded.embedding, filters), seen)


def _results(
    source: Warehouse, found: list[tuple[int, float]], told: dict[str, Any], name: str = "found"
) -> None:
    if not found:
        st.info("No product fits these filters.", icon=":material/filter_alt_off:")
        return
    known = catalogue.told_of(source, [int(i) for i, _ in found])
    products = pd.DataFrame(
        [
            {"product_id": int(i), "name": _name(known[int(i)]), "similarity": value}
            for i, value in found
            if int(i) in known  # else a night has removed it since the search was written
        ],
        columns=["product_id", "name", "similarity"],
    )
    page.grid(
        source,
        products,
        lambda row: [f"{row['similarity']:.3f}", reason_of(told, known[row["product_id"]])],
        lambda row: _lead_on(name, row, told.get("product_id")),
    )


def _lead_on(where: str, product: page.Product, first: int | None = None) -> None:
    """Draw buttons that go on to a product, and that compare it with the first one."""
    product_id = int(product["product_id"])
    st.button(
        str(product_id),
        key=f"{where}-{product_id}",
        icon=":material/image_search:",
        type="tertiary",
        help="Find products similar to this one",
        on_click=_go_to,
        args=(product_id,),
    )
    if first is not None and first != product_id:
        st.button(
            "Compare",
            key=f"{where}-{product_id}-compare",
            icon=":material/compare_arrows:",
            type="tertiary",
            on_click=_go_to,
            args=(first, product_id),
        )


def _go_to(product_id: int, compared: int | None = None) -> None:
    """Show another product under the same filters; no link, which would leave the URL as it is."""
    for name in ("by", "compare"):
        st.query_params.pop(name, None)
    st.query_params["product"] = str(product_id)
    if compared is not None:
        st.query_params["compare"] = str(compared)
    st.session_state["search"] = ""


def _compare(source: Warehouse, first: dict[str, Any], second: dict[str, Any]) -> None:
    ids = [int(first["product_id"]), int(second["product_id"])]
    tiles = source.tiles(ids)
    with st.container(border=True):
        st.subheader("Side by side")
        with st.container(horizontal=True, gap="medium"):
            for told, product_id in zip((first, second), ids, strict=True):
                with st.container(width=160):
                    page.draw_product({"name": _name(told)}, tiles.get(product_id), 160)
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
        )


def _name(told: dict[str, Any]) -> str:
    return str(told.get("product_display_name", ""))


def _not_searchable() -> None:
    st.info(f"No picture can be searched for yet: the next night ({page.NIGHTLY}) sees to it.")
