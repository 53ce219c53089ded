"""What the pages draw alike: figures with downloads, products, pictures, the way to other pages."""

from base64 import b64encode
from collections.abc import Callable, Mapping
from textwrap import wrap
from typing import Any, Literal

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from fashionrec.dashboard.export import as_csv
from fashionrec.dashboard.warehouse import Warehouse

TILE_WIDTH = 148
_LINE = 20  # characters of a name that fit into a tile's width
Product = Mapping[Any, Any]


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
            with st.container(width=TILE_WIDTH, gap="xxsmall"):
                draw_product(product, tiles.get(product["product_id"]))
                for note in notes(product):
                    st.text(note, width="stretch")
                lead_on(product)


def draw_product(product: Product, picture: bytes | None) -> None:
    """Draw a product's picture and name."""
    if picture is None:
        no_picture(TILE_WIDTH)
    else:
        draw_picture(picture, TILE_WIDTH, product["name"])
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


def shortened(text: str) -> str:
    """Return a text that fits into two lines of a tile."""
    lines = wrap(text, _LINE, max_lines=2, placeholder="…", break_on_hyphens=False)
    return " ".join(lines)
