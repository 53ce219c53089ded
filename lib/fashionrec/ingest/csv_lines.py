"""CSV files of a catalogue, one line at a time: pure Python, no Spark.

A line is a record: a quote that is opened and never closed must not swallow the lines after it.
"""

import csv
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from fashionrec.errors import FashionrecError, reason
from fashionrec.paths import open_file, read_bytes

_LONGEST_LINE = 1 << 24


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


def read_header(path: Path, required: Collection[str]) -> Header:
    """Return the header of a file that needs some columns.

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
        raise FashionrecError(f"{path}: cannot be read ({reason(error)})") from error
    raise FashionrecError(f"{path}: is empty; it needs a header with {', '.join(required)}")


def numbered_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Return the lines of a file with their numbers.

    Raises:
        FashionrecError: one is so long that the file is something else.
    """
    with open_file(path) as file:
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


def _checked(header: Header, path: Path, required: Collection[str]) -> Header:
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
    with open_file(path) as file:
        while block := file.read(size):
            block += _whole(file.readline(_LONGEST_LINE), path)
            yield LineRange(offset, len(block), line)
            offset += len(block)
            line += block.count(b"\n")


def lines_in(path: Path, part: LineRange) -> Iterator[tuple[int, bytes]]:
    """Return the lines of a range with their numbers, without their line feeds."""
    block = read_bytes(path.parent, path.name, part.offset, part.length)
    return enumerate(block.removesuffix(b"\n").split(b"\n"), part.line)


def split_fields(text: str, header: Header, free: str) -> list[str]:
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


def decode(raw: bytes, first: bool) -> str:
    """Return the line's text without carriage return and byte-order mark."""
    text = raw.decode("utf-8-sig" if first else "utf-8")
    return text.removesuffix("\n").removesuffix("\r")
