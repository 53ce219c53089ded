"""Reading images.csv, pictures by link: filename, which gives the product, and link.

Links that no product needs are nothing; so are URLs while `ingest.fetch_links` is off. What is
needed becomes an entry like that of a file, which `examine` reads and the table `files` knows.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from stat import S_ISREG

from fashionrec.errors import reason
from fashionrec.ingest.csv_lines import (
    Header,
    LineRange,
    decode,
    line_ranges,
    lines_in,
    read_header,
    split_fields,
)
from fashionrec.ingest.entries import LINK, LINKS, NOT_REGULAR, Entry
from fashionrec.ingest.styles import as_product_id
from fashionrec.paths import read_each

COLUMNS = ("filename", "link")
_LONGEST_PATH = 4096  # Linux' own limit; resolving a much longer one takes hours
_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")


@dataclass(frozen=True)
class Link:
    """A line of images.csv: a product and its link, or the `reason` that it cannot be read."""

    line: int
    raw: str
    product_id: int | None = None
    reason: str | None = None


def read_links(folder: Path) -> Iterator[Link]:
    """Return a link for each line of images.csv that is not blank; none where it is not there.

    Raises:
        FashionrecError: it cannot be read, or lacks a column.
    """
    path = folder / LINKS
    if path.is_file():
        header = read_header(path, COLUMNS)
        for part in line_ranges(path):
            yield from links_in(path, header, part)


def links_in(path: Path, header: Header, part: LineRange) -> Iterator[Link]:
    """Return a link for each line of a range of images.csv that is not blank."""
    for line, raw in lines_in(path, part):
        if line != header.line and raw.strip():
            yield _parse_line(line, raw, header)


def is_wanted(link: Link, fetch_links: bool) -> bool:
    """Say whether a line is a link that its product may need."""
    return link.reason is None and (fetch_links or not is_url(link.raw))


def path_of(link: Link) -> str:
    """Return what a link is called in the table `files`."""
    return f"{LINKS}!{link.product_id}!{link.raw}"


def known_link(path: str) -> Link:
    """Return the link that the table `files` has under `path`."""
    _, product_id, raw = path.split("!", 2)
    return Link(0, raw, int(product_id))


def is_url(link: str | None) -> bool:
    """Say whether a link is a URL of any scheme, and no path."""
    return link is not None and _URL.match(link) is not None


def _parse_line(line: int, raw: bytes, header: Header) -> Link:
    try:
        text = decode(raw, first=line == 1)
    except UnicodeDecodeError:
        readable = raw.rstrip(b"\r\n").decode("utf-8", "backslashreplace")
        return Link(line, readable, None, "not UTF-8")
    fields = split_fields(text, header, free="link")
    if len(fields) < len(header.columns):
        return Link(line, text, None, f"{len(fields)} fields, the header has {len(header.columns)}")
    row = dict(zip(header.columns, fields, strict=True))
    product_id = as_product_id(PurePosixPath(row["filename"].strip()).stem)
    if product_id is None:
        return Link(line, text, None, "the file's name is no product id")
    return Link(line, row["link"].strip(), product_id)


def entries_of(folder: Path, links: Iterable[Link]) -> list[Entry]:
    """Return the entries of links, in order; in an object store several are looked at at once."""
    return read_each(folder, partial(entry_of, folder), links)


def entry_of(folder: Path, link: Link) -> Entry:
    """Return the entry of a link; a local one is looked at."""
    target, size, mtime, problem = link.raw, 0, 0, None
    if not is_url(link.raw):
        target, size, mtime, problem = _look_at(folder, link.raw)
    return Entry(
        path=path_of(link),
        kind=LINK,
        product_id=link.product_id,
        size=size,
        mtime=mtime,
        archive=target,
        problem=problem,
        line=link.line,
        raw=link.raw,
    )


def _look_at(folder: Path, link: str) -> tuple[str, int, int, str | None]:
    """Return the file that a link leads to, its size and time, and the problem with it.

    A file that comes to be has another size and time, so nothing need be tried again each night.
    """
    if not link:
        return "", 0, 0, "no link"
    if len(link) > _LONGEST_PATH:
        return link, 0, 0, "the link leads to no file (File name too long)"
    try:
        root = folder.resolve()
        found = (root / link).resolve()
        if not found.is_relative_to(root):
            return link, 0, 0, "the link leads out of the catalogue's folder"
        status = found.stat()
    except OSError as error:
        return link, 0, 0, f"the link leads to no file ({reason(error)})"
    except (ValueError, RuntimeError):  # a null character; links that lead in a circle
        return link, 0, 0, "the link leads to no file"
    problem = None if S_ISREG(status.st_mode) else NOT_REGULAR
    return str(found.relative_to(root)), status.st_size, status.st_mtime_ns // 1000, problem
