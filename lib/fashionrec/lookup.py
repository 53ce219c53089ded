"""A product's published neighbours, as text."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fashionrec.errors import FashionrecError
from fashionrec.read import rows_of
from fashionrec.tables import PRODUCTS, RECOMMENDATIONS

Row = dict[str, Any]


def lookup(warehouse: Path, product_id: int) -> list[Row]:
    """Return the product's rows of `recommendations`, by list and rank.

    Raises:
        FashionrecError: saying whether the product is unknown, has no picture, or has no list.
    """
    rows = rows_of(warehouse, RECOMMENDATIONS, product_id)
    if not rows:
        raise FashionrecError(_why_not(warehouse, product_id))
    return rows.sort_by([("list", "ascending"), ("rank", "ascending")]).to_pylist()  # type: ignore[no-any-return]


def _why_not(warehouse: Path, product_id: int) -> str:
    products = rows_of(warehouse, PRODUCTS, product_id).to_pylist()
    if not products:
        return f"product {product_id} is not in the catalogue"
    name = products[0]["product_display_name"]
    if products[0]["image_sha256"] is None:
        return f"product {product_id} ({name}) has no usable picture, so it has no neighbours"
    return f"product {product_id} ({name}) is not published yet: run nightly"


def format_neighbours(rows: Sequence[Row]) -> str:
    """Return the product's line, then each list: its name, and one line per neighbour."""
    first = rows[0]
    lines = [f"{first['product_id']}  {_describe(first, '')}"]
    for row in rows:
        if row["rank"] == 1:
            lines.append(row["list"])
        text = _describe(row, "neighbour_")
        lines.append(f"  {row['rank']}  {row['similarity']:.4f}  {row['neighbour_id']}  {text}")
    return "\n".join(lines)


def _describe(row: Row, prefix: str) -> str:
    name = row[f"{prefix or 'product_'}display_name"]
    told = [row[f"{prefix}{column}"] for column in ("gender", "article_type", "base_colour")]
    return f"{name}  ({', '.join(value for value in told if value)})"
