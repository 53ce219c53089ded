"""The lines of styles.csv: products, or the reason why not. Pure Python, no Spark."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fashionrec.ingest.csv_lines import Header, LineRange, decode, lines_in, split_fields

# The catalogue's column, and ours.
COLUMNS = {
    "id": "product_id",
    "gender": "gender",
    "masterCategory": "master_category",
    "subCategory": "sub_category",
    "articleType": "article_type",
    "baseColour": "base_colour",
    "season": "season",
    "year": "year",
    "usage": "usage",
    "productDisplayName": "product_display_name",
}
NAME = "productDisplayName"
BLANK = "blank line"

_MAX_BIGINT = 2**63 - 1
_YEAR = re.compile(r"[0-9]{4}(\.0)?")  # pandas writes a column of years with a gap as 2012.0


@dataclass(frozen=True)
class Cell:
    """One value that could not be read and became null."""

    column: str
    raw: str
    reason: str


@dataclass(frozen=True)
class Record:
    """A line of styles.csv: `values` by our column names, or the `reason` it was rejected."""

    line: int
    raw: str
    reason: str | None = None
    values: dict[str, str | int | None] = field(default_factory=dict)
    cells: tuple[Cell, ...] = ()


def extra_columns(header: Header) -> list[str]:
    """Return the columns that are none of ours and are ignored."""
    return [column for column in header.columns if column not in COLUMNS]


def read_records(
    path: Path, header: Header, lines: LineRange, null_values: Sequence[str]
) -> Iterator[Record]:
    """Return a record for each line of the range, the header's left out."""
    for line, raw in lines_in(path, lines):
        if line != header.line:
            yield parse_line(line, raw, header, null_values)


def parse_line(line: int, raw: bytes, header: Header, null_values: Sequence[str]) -> Record:
    """Return the record of one line without its line feed."""
    try:
        text = decode(raw, first=line == 1)
    except UnicodeDecodeError:
        text = raw.removesuffix(b"\r").decode("utf-8", "backslashreplace")
        return Record(line, text, "not UTF-8")
    if not text.strip():
        return Record(line, text, BLANK)
    fields = split_fields(text, header, free=NAME)
    if len(fields) < len(header.columns):
        reason = f"{len(fields)} fields, the header has {len(header.columns)}"
        return Record(line, text, reason)
    return _as_record(line, text, dict(zip(header.columns, fields, strict=True)), null_values)


def _as_record(line: int, text: str, row: dict[str, str], null_values: Sequence[str]) -> Record:
    product_id = as_product_id(row["id"].strip())
    if product_id is None:
        return Record(line, text, "the id is no whole number below 2^63")
    values: dict[str, str | int | None] = {
        ours: None if row[theirs].strip() in ("", *null_values) else row[theirs]
        for theirs, ours in COLUMNS.items()
    }
    # An id or a name is taken as it stands, even where it reads like "not given".
    values |= {"product_id": product_id, "product_display_name": row[NAME] or None}
    cells: tuple[Cell, ...] = ()
    if values["year"] is not None:
        values["year"], cells = _as_year(row["year"])
    return Record(line, text, None, values, cells)


def as_product_id(text: str) -> int | None:
    """Return the id that a text or a file's stem spells, or None."""
    if not (text.isascii() and text.isdigit()) or len(text) > 40:
        return None
    return number if (number := int(text)) <= _MAX_BIGINT else None


def _as_year(text: str) -> tuple[int | None, tuple[Cell, ...]]:
    if _YEAR.fullmatch(text.strip()):
        return int(text.strip()[:4]), ()
    return None, (Cell("year", text, "no four-digit year"),)
