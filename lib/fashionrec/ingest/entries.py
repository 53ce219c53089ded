"""What a catalogue is made of: its files, members of tar shards, and links, by name and place."""

import os
from dataclasses import dataclass
from pathlib import Path

from fashionrec.ingest.styles import as_product_id
from fashionrec.paths import read_bytes

STYLES, IMAGE, DETAILS = "styles.csv", "image", "styles.json"
LINKS, LINK = "images.csv", "link"
CANNOT_READ = "cannot be read: "  # such problems may go without a trace: they are tried again
NOT_REGULAR = "not a regular file"


@dataclass(frozen=True)
class Entry:
    """A file of the catalogue, or a member of one of its tar shards.

    `path` is below the catalogue's folder, TAR!MEMBER for a member; `mtime` in microseconds since
    1970, of the whole tar for a member, because a rewritten tar may keep its members' times;
    `archive` and `offset` (bytes) say where a member's content starts. For a link `archive` is the
    file below the catalogue, or the URL, that it leads to; `line` and `raw` are as in images.csv.
    """

    path: str
    kind: str
    product_id: int | None
    size: int
    mtime: int
    archive: str | None = None
    offset: int | None = None
    problem: str | None = None
    line: int | None = None
    raw: str | None = None


def read_content(folder: Path, entry: Entry, max_bytes: int) -> bytes:
    """Return the entry's bytes, at most `max_bytes` + 1 of them.

    Raises:
        OSError: the file cannot be read.
    """
    if not entry.size:
        return b""  # an object store refuses any range of nothing
    most = max_bytes + 1 if entry.offset is None else min(entry.size, max_bytes + 1)
    return read_bytes(folder, entry.archive or entry.path, entry.offset or 0, most)


def id_of(path: str) -> int | None:
    """Return the product that a file's name gives, or None."""
    name = os.path.basename(path)
    stem, ending = os.path.splitext(name)  # pathlib's stem was half of a listing's time
    return as_product_id(name if ending == "." else stem)
