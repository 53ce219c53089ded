"""What a catalogue is made of: its files, members of tar shards, and links, by name and place."""

import os
from dataclasses import dataclass
from pathlib import Path

from fashionrec.ingest.styles import as_product_id

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
    with open(os.path.join(folder, entry.archive or entry.path), "rb") as file:
        if entry.offset is not None:
            file.seek(entry.offset)
            return file.read(min(entry.size, max_bytes + 1))
        return file.read(max_bytes + 1)


def id_of(path: str) -> int | None:
    """Return the product that a file's name gives, or None."""
    name = os.path.basename(path)
    stem, ending = os.path.splitext(name)  # pathlib's stem was half of a listing's time
    return as_product_id(name if ending == "." else stem)
