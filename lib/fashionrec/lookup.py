"""A product's published neighbours, as text."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from fashionrec.errors import FashionrecError
from fashionrec.read import TableReader
from fashionrec.tables import PRODUCTS, RECOMMENDATIONS, Row

SIMILAR = "similar"


def lookup(warehouse: str | Path, product_id: int) -> list[Row]:
    """Return the product's rows of `recommendations`, by list (`similar` first) and rank.

    Raises:
        FashionrecError: saying whether the product is unknown, has no picture, or has no list.
    """
    if not 0 <= product_id < 1 << 63:  # no id of a catalogue, and no BIGINT
        raise FashionrecError(f"product {product_id} is not in the catalogue")
    reader = TableReader(warehouse)
    rows = reader.rows_of(RECOMMENDATIONS, product_id)
    if not rows:
        raise FashionrecError(_why_not(reader, product_id))
    return sorted(
        rows.to_pylist(), key=lambda row: (row["list"] != SIMILAR, row["list"], row["rank"])
    )


def _why_not(reader: TableReader, product_id: int) -> str:
    products = reader.rows_of(PRODUCTS, product_id).to_pylist()
    if not products:
        return f"product {product_id} is not in the catalogue"
    name = products[0]["product_display_name"]
    if products[0]["image_sha256"] is None:
        return f"product {product_id} ({name}) has no usable picture, so it has no neighbours"
    return f"product {product_id} ({name}) is not published yet: run nightly"


def format_neighbours(rows: Sequence[Row]) -> str:
    """Return the product's line, then under the name of each list a line per neighbour."""
    lines = [f"{rows[0]['product_id']}  {_describe(rows[0], '')}"]
    for name, entries in groupby(rows, lambda row: row["list"]):
        lines.append(f"  {name}")
        lines += [_entry(row) for row in entries]
    return "\n".join(lines)


def _entry(row: Row) -> str:
    neighbour = f"{row['neighbour_id']}  {_describe(row, 'neighbour_')}"
    return f"    {row['rank']}  {row['similarity']:.4f}  {neighbour}"


def _describe(row: Row, prefix: str) -> str:
    name = row[f"{prefix or 'product_'}display_name"]
    told = [row[f"{prefix}{column}"] for column in ("gender", "article_type", "base_colour")]
    return f"{name}  ({', '.join(value for value in told if value)})"
