"""What the pages share: the warehouse as it is now, filters, figures with downloads, the grid."""

import re
import sys
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Literal, TypeVar

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from fashionrec.config import Config
from fashionrec.dashboard import catalogue
from fashionrec.dashboard.encoding import PictureEncoder, load_encoder
from fashionrec.dashboard.export import as_csv
from fashionrec.dashboard.filters import FIELDS, Filters, from_query
from fashionrec.dashboard.warehouse import Key, Warehouse, key_of

NIGHTLY = "./spark-submit.sh nightly"
_TILE_WIDTH = 148
_LONGEST = 36
T = TypeVar("T")
Product = Mapping[Any, Any]


@st.cache_resource(max_entries=1)
def _config(document: str) -> Config:
    return Config.model_validate_json(document)


def config() -> Config:
    """Return the settings that the server was started with."""
    return _config(sys.argv[1])


@st.cache_resource(max_entries=2, show_spinner=False)
def _warehouse(path: str, key: Key) -> Warehouse:
    return Warehouse(path, key)


def warehouse() -> Warehouse:
    """Return the tables as they are now; before the first night say so and end the page."""
    path = config().warehouse
    key = key_of(path)
    if not key:
        st.title("No night yet")
        st.write("There is nothing to show before the first night. This command runs one:")
        st.code(f"{NIGHTLY} --warehouse {path}", language="bash", wrap_lines=True)
        st.stop()
    return _warehouse(path, key)


@st.cache_data(max_entries=2_000, show_spinner=False)
def _kept(key: Key, what: str, values: tuple[Any, ...], _compute: Callable[[], T]) -> T:  # noqa: ARG001
    return _compute()


def kept(
    source: Warehouse, compute: Callable[..., T], *values: Any, filters: Filters | None = None
) -> T:
    """Return compute(source, filters, *values), from memory until another night.

    Without `filters` it is compute(source, *values).
    """
    chosen = () if filters is None else tuple(sorted(filters.chosen.items()))
    given = values if filters is None else (filters, *values)
    what = f"{compute.__module__}.{compute.__qualname__}"
    return _kept(source.key, what, (chosen, values), lambda: compute(source, *given))


@st.cache_resource(max_entries=2, show_spinner=False)
def _encoder(document: str, version: str) -> Future[PictureEncoder]:
    pool = ThreadPoolExecutor(1)
    future = pool.submit(load_encoder, _config(document), version)
    pool.shutdown(wait=False)
    return future


def encoder(source: Warehouse) -> Future[PictureEncoder] | None:
    """Return the model of the pictures that can be searched, which is loaded in the background."""
    if source.searchable is None:
        return None
    return _encoder(sys.argv[1], source.searchable.model_version)


def filters_of(source: Warehouse, where: Any) -> Filters:
    """Draw the filters and return them; they live in the URL, and narrow each other."""
    known = kept(source, catalogue.values_of)
    filters = from_query({name: st.query_params.get_all(name) for name in FIELDS}, known)
    for name, title in FIELDS.items():
        counts = kept(source, catalogue.count_by, name, filters=filters.but(name))
        found = dict(zip(counts[name], counts["products"], strict=True))
        chosen = filters.chosen.get(name, ())
        options = [value for value in known[name] if value in found or value in chosen]
        key = f"filter-{name}"
        st.session_state[key] = list(chosen)
        where.multiselect(
            title,
            options,
            key=key,
            format_func=lambda value, found=found: f"{value} ({found.get(value, 0):,})",
            on_change=_remember,
            args=(name,),
            placeholder="All",
        )
    if filters:
        where.button("Clear all filters", on_click=_forget, width="stretch")
    return filters


def _remember(name: str) -> None:
    st.query_params[name] = st.session_state[f"filter-{name}"]
    st.query_params.pop("page", None)


def _forget() -> None:
    for name in (*FIELDS, "page"):
        st.query_params.pop(name, None)


def choose(name: str, options: Sequence[str]) -> str:
    """Ask for one of a few; the choice lives in the URL, and the first is meant by none."""
    given = st.query_params.get(name)
    key = f"choice-{name}"
    st.session_state[key] = given if given in options else options[0]
    st.segmented_control(
        name.capitalize(),
        options,
        key=key,
        required=True,
        label_visibility="collapsed",
        on_change=_keep_choice,
        args=(name, key),
    )
    return str(st.session_state[key])


def _keep_choice(name: str, key: str) -> None:
    st.query_params[name] = st.session_state[key]
    st.query_params.pop("page", None)


def figure(
    title: str, rows: pd.DataFrame, draw: Callable[[pd.DataFrame], go.Figure], note: str = ""
) -> None:
    """Draw a figure with its data to download; rows without any say so."""
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{title}**", width="stretch")
            if len(rows):
                download(title, rows)
        if note:
            st.caption(note)
        if not len(rows):
            st.info("No product fits these filters.", icon=":material/filter_alt_off:")
            return
        name = file_name(title)
        options = {"displaylogo": False, "toImageButtonOptions": {"filename": name, "scale": 2}}
        st.plotly_chart(draw(rows), key=f"figure-{name}", config=options)


def download(title: str, rows: pd.DataFrame) -> None:
    """Draw a button that downloads rows as CSV."""
    st.download_button(
        "CSV",
        as_csv(rows),
        f"{file_name(title)}.csv",
        "text/csv",
        key=f"csv-{title}",
        icon=":material/download:",
        on_click="ignore",
        type="tertiary",
    )


def file_name(title: str) -> str:
    """Return a title as the name of a file."""
    return "".join(c if c.isalnum() else "-" for c in title.lower()).strip("-")


def grid(
    source: Warehouse,
    products: pd.DataFrame,
    notes: Callable[[Product], list[str]],
    lead_on: Callable[[Product], object],
) -> None:
    """Draw products side by side: picture, name, lines of notes, and what leads on from there.

    A product has `product_id` and `name`. Text of the catalogue is shown as it stands.
    """
    tiles = source.tiles(products["product_id"].tolist())
    with st.container(horizontal=True, gap="small"):
        for product in products.to_dict("records"):
            with st.container(width=_TILE_WIDTH, gap="xxsmall"):
                draw_product(product, tiles.get(product["product_id"]))
                for note in notes(product):
                    st.text(note, width="stretch")
                lead_on(product)


def draw_product(product: Product, picture: bytes | None, width: int = _TILE_WIDTH) -> None:
    """Draw a product's picture and name."""
    if picture is None:
        no_picture(width)
    else:
        draw_picture(picture, width, product["name"])
    with st.container(height=48, border=False, gap=None):
        st.text(shortened(product["name"]) or "(no name)", width="stretch")


def link_to_similar(product: Product) -> None:
    """Draw the link to the products like one, on their own page."""
    st.page_link(
        st.session_state["similar_page"],
        label=f"{product['product_id']}",
        icon=":material/image_search:",
        query_params={"product": str(product["product_id"])},
        help="Find similar products",
    )


def draw_picture(picture: bytes, width: int | Literal["stretch"], alt: str) -> None:
    """Draw a JPEG or PNG that was drawn here.

    It goes with the page and not under an address of its own, which anybody might ask for.
    """
    kind = "png" if picture.startswith(b"\x89PNG") else "jpeg"
    st.image(f"data:image/{kind};base64,{b64encode(picture).decode()}", width=width, alt=alt)


def turn_pages(number: int, pages: int) -> None:
    """Draw the way to other pages; which one it is lives in the URL."""
    key = f"page-{number}-of-{pages}"
    st.pagination(pages, default=number, key=key, on_change=_turn, args=(key,))


def _turn(key: str) -> None:
    st.query_params["page"] = str(st.session_state[key])


def no_picture(width: int) -> None:
    """Fill the room of a picture."""
    with st.container(
        width=width,
        height=width * 4 // 3,
        border=True,
        horizontal_alignment="center",
        vertical_alignment="center",
    ):
        st.caption("no picture")


def shortened(text: str, longest: int = _LONGEST) -> str:
    """Return a text that fits into two lines of a tile."""
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"


def whole_number(name: str, default: int) -> int:
    """Return a parameter of the URL that is a number; anybody may have written it."""
    text = st.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else default


_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")


def plain(text: str) -> str:
    """Return a text for where Markdown is read, so that it is shown as it is."""
    return _PUNCTUATION.sub(r"\\\1", text)
