"""Reading styles.csv, one line at a time: pure Python, no Spark.

A line is a record: a quote that is opened and never closed must not swallow the lines after it.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fashionrec.errors import FashionrecError

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
_LONGEST_LINE = 1 << 24
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


@dataclass(frozen=True)
class LineRange:
    """Whole lines: `length` bytes from `offset` on, the first one numbered `line`."""

    offset: int
    length: int
    line: int


@dataclass(frozen=True)
class Header:
    """The first line that is not blank: its number and its columns."""

    line: int
    columns: tuple[str, ...]

    @property
    def extra(self) -> list[str]:
        """Columns that are none of ours and are ignored."""
        return [column for column in self.columns if column not in COLUMNS]


def read_header(path: Path, required: Sequence[str] = tuple(COLUMNS)) -> Header:
    """Return the header of styles.csv, or of a file with other columns.

    Raises:
        FashionrecError: the file or a required column is missing, or a column is there twice.
    """
    try:
        for line, raw in numbered_lines(path):
            if text := decode(raw, first=line == 1).strip():
                return _checked(Header(line, tuple(_header_fields(text))), path, required)
    except UnicodeDecodeError as error:
        raise FashionrecError(f"{path}: the header is not UTF-8: save it as UTF-8") from error
    except OSError as error:
        raise FashionrecError(f"{path}: cannot be read ({error.strerror})") from error
    raise FashionrecError(f"{path}: is empty; it needs a header with {', '.join(required)}")


def numbered_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Return the lines of a file with their numbers.

    Raises:
        FashionrecError: one is so long that the file is something else.
    """
    with path.open("rb") as file:
        for line, raw in enumerate(iter(lambda: file.readline(_LONGEST_LINE), b""), 1):
            yield line, _whole(raw, path)


def _whole(raw: bytes, path: Path) -> bytes:
    if len(raw) == _LONGEST_LINE and not raw.endswith(b"\n"):
        raise FashionrecError(
            f"{path}: has a line of more than {_LONGEST_LINE:,} bytes: is it CSV?"
        )
    return raw


def _header_fields(text: str) -> list[str]:
    return [column.strip().strip('"') for column in text.split(",")]


def _checked(header: Header, path: Path, required: Sequence[str]) -> Header:
    missing = [column for column in required if column not in header.columns]
    if missing:
        raise FashionrecError(
            f"{path}: the header lacks [{', '.join(missing)}]; it has [{', '.join(header.columns)}]"
        )
    twice = [column for column in required if header.columns.count(column) > 1]
    if twice:
        raise FashionrecError(f"{path}: the header has [{', '.join(twice)}] more than once")
    return header


def line_ranges(path: Path, size: int = 1 << 20) -> Iterator[LineRange]:
    """Cut the file into ranges of about `size` bytes at line ends, without keeping it in memory.

    Raises:
        FashionrecError: a line is so long that the file is something else.
    """
    line, offset = 1, 0
    with path.open("rb") as file:
        while block := file.read(size):
            block += _whole(file.readline(_LONGEST_LINE), path)
            yield LineRange(offset, len(block), line)
            offset += len(block)
            line += block.count(b"\n")


def read_records(
    path: Path, header: Header, lines: LineRange, null_values: Sequence[str]
) -> Iterator[Record]:
    """Return a record for each line of the range, the header's left out."""
    with path.open("rb") as file:
        file.seek(lines.offset)
        block = file.read(lines.length)
    for line, raw in enumerate(block.removesuffix(b"\n").split(b"\n"), lines.line):
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
    fields = split_fields(text, header)
    if len(fields) < len(header.columns):
        reason = f"{len(fields)} fields, the header has {len(header.columns)}"
        return Record(line, text, reason)
    return _as_record(line, text, dict(zip(header.columns, fields, strict=True)), null_values)


def split_fields(text: str, header: Header, free: str = NAME) -> list[str]:
    """Return one text per column of the header, or fewer where the line has fewer.

    Surplus commas belong to the column `free`, the only free text of a line. In a line that is not
    proper CSV quotes are ordinary characters.
    """
    pieces = text.split(",")
    try:
        fields = next(csv.reader([text], strict=True))
    except csv.Error:
        fields = pieces
    surplus = len(fields) - len(header.columns)
    if surplus <= 0:
        return fields
    start = header.columns.index(free)
    stop = start + surplus + 1
    # The text keeps its quotes, unless a quoted comma has shifted the pieces.
    free_text = pieces[start:stop] if len(pieces) == len(fields) else fields[start:stop]
    return [*fields[:start], ",".join(free_text), *fields[stop:]]


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


def decode(raw: bytes, first: bool) -> str:
    """Return the line's text without carriage return and byte-order mark."""
    text = raw.decode("utf-8-sig" if first else "utf-8")
    return text.removesuffix("\n").removesuffix("\r")
