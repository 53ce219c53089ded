"""Pictures for notebooks: rows of products, and a map of embeddings with pictures on it."""

import base64
from collections.abc import Iterable
from html import escape

import pandas as pd
import plotly.express as px
import plotly.graph_objects as go

from fashionrec.dashboard.figures import label
from fashionrec.dashboard.pictures import point, tile
from fashionrec.dashboard.theme import CATEGORIES
from fashionrec.dashboard.warehouse import Warehouse

_CARD = '<div style="display:inline-block;width:130px;margin:6px;vertical-align:top">'
_SIZE = 0.045  # of a picture on the map, as a share of its side


def gallery(warehouse: Warehouse, ids: Iterable[int], texts: Iterable[str]) -> str:
    """Return HTML: each product's picture, where it has one, above a text."""
    ids = list(ids)
    pictures = warehouse.tiles(ids, tile)
    cards = [
        f"{_CARD}{_image(pictures.get(product_id))}<br>{escape(text)}</div>"
        for product_id, text in zip(ids, texts, strict=True)
    ]
    return "".join(cards)


def map_with_pictures(warehouse: Warehouse, rows: pd.DataFrame, most: int = 60) -> go.Figure:
    """Draw the rows of `judged.map_of`, coloured by article type, with pictures of some of them."""
    shown = rows.assign(name=rows["name"].map(label), article_type=rows["article_type"].map(label))
    figure = px.scatter(
        shown, "x", "y", color="article_type", hover_name="name", color_discrete_sequence=CATEGORIES
    )
    drawn = rows.sample(min(most, len(rows)), random_state=7)
    pictures = {i: point(content) for i, content in warehouse.contents(drawn["id"]).items()}
    wide, high = (rows[axis].max() - rows[axis].min() for axis in ("x", "y"))
    for product_id, x, y in zip(drawn["id"], drawn["x"], drawn["y"], strict=True):
        figure.add_layout_image(
            source=_uri(pictures[product_id]),
            x=x,
            y=y,
            sizex=_SIZE * wide,
            sizey=2 * _SIZE * high,
            xref="x",
            yref="y",
            xanchor="center",
            yanchor="middle",
        )
    axes = {"showticklabels": False, "title": None}
    return figure.update_layout(height=700, xaxis=axes, yaxis=axes, legend_title=None)


def _image(content: bytes | None) -> str:
    return "no picture" if content is None else f'<img width="120" src="{_uri(content)}">'


def _uri(content: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(content).decode()}"
