"""The page that finds similar products: of a product, an uploaded picture, or one at a URL."""

import streamlit as st

from fashionrec.dashboard import catalogue, drawing, page
from fashionrec.dashboard.encoding import (
    PictureEncoder,
    fetch_picture,
    require_usable,
    verdict_of,
)
from fashionrec.dashboard.filters import Filters
from fashionrec.dashboard.pictures import tile
from fashionrec.dashboard.product import draw_product_and_lists
from fashionrec.dashboard.results import draw_results, draw_verdict, lead_on, not_searchable, search
from fashionrec.dashboard.warehouse import Warehouse
from fashionrec.errors import FashionrecError

_SOURCES = ("Product", "Upload", "Link")
_FOUND = 12


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
    if told is None and product_id >= 0:
        st.info(f"There is no product {product_id}.", icon=":material/search_off:")
    if text or told is None:
        _choose(source, text or "")
    if told is not None:
        draw_product_and_lists(source, filters, told)


def _choose(source: Warehouse, text: str) -> None:
    count, rows = page.kept(source, catalogue.page_of, text, 1, _FOUND, filters=Filters())
    if not count:
        st.info("No product has this name or id.", icon=":material/search_off:")
        return
    st.caption(f"{count:,} products; choose one by the number below its picture")
    drawing.grid(source, rows, lambda _: [], lambda row: lead_on("found", row))


def _by_picture(source: Warehouse, filters: Filters, by: str) -> None:
    loading = page.encoder(source)
    if loading is None:
        not_searchable()
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
        drawing.draw_picture(tile(content), 240, "The picture that is searched with")
    with right:
        verdict = verdict_of(encoded, model.model)
        draw_verdict(verdict)
    st.subheader("Most similar products")
    seen = {"article_type": verdict.classes[0][0]} if verdict.classes else {}
    draw_results(source, search(source, encoded.embedding, filters), seen)
