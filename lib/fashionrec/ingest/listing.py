"""Which files a catalogue has: those in its folders, and the members of its tar shards."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from itertools import compress
from pathlib import Path, PurePosixPath
from stat import S_ISREG
from typing import cast

from upath import UPath

from fashionrec.errors import FashionrecError, reason
from fashionrec.ingest.entries import (
    CANNOT_READ,
    DETAILS,
    IMAGE,
    LINKS,
    NOT_REGULAR,
    STYLES,
    Entry,
    id_of,
)
from fashionrec.ingest.tars import list_tar
from fashionrec.objects import list_objects
from fashionrec.paths import is_remote, read_each

ListShard = Callable[[Path, Entry], Iterator[Entry]]

_NOT_UTF8 = "the file's name is not UTF-8"


def csv_entries(folder: Path) -> Iterator[Entry]:
    """Return the entries of styles.csv, and of images.csv where it is there."""
    for name in (STYLES, LINKS):
        if name == STYLES or (folder / name).is_file():
            status = (folder / name).stat()
            yield Entry(name, name, None, status.st_size, status.st_mtime_ns // 1000)


def list_catalogue(folder: Path, list_shard: ListShard = list_tar) -> Iterator[Entry]:
    """Return every image entry and every styles/*.json of the catalogue, by name only.

    `list_shard` gives the members of a tar.

    Raises:
        FashionrecError: only part of a folder or of a shard could be listed.
    """
    yield from _list_folder(folder, "images", IMAGE)
    for child in sorted(_children(folder), key=lambda child: child.name):
        if fnmatchcase(child.name, "images*.tar"):
            shard = _file_entry(child.name, IMAGE, child)
            yield from [shard] if shard.problem else list_shard(folder, shard)
    for entry in _list_folder(folder, "styles", DETAILS):
        if entry.path.endswith(".json") or entry.problem:
            yield entry


def find_styles(folder: Path) -> Path:
    """Return the catalogue's styles.csv.

    Raises:
        FashionrecError: it is not there; where it lies deeper, the message says so.
    """
    if not folder.is_dir():
        raise FashionrecError(f"{folder}: there is no such folder; --catalogue names the catalogue")
    if (folder / STYLES).is_file():
        return folder / STYLES
    deeper = min((path.parent for path in _styles_below(folder)), default=None)
    hint = f"there is one in {deeper}: give that folder" if deeper else "a catalogue needs one"
    raise FashionrecError(f"{folder}: has no styles.csv; {hint}")


def _styles_below(folder: Path) -> list[Path]:
    """Look a little deeper: the folder may be anything, such as a whole file system."""
    if not is_remote(folder):
        return [*folder.glob(f"*/{STYLES}"), *folder.glob(f"*/*/{STYLES}")]
    store = cast(UPath, folder)  # whose glob lists all that is below
    children = store.fs.ls(store.path, detail=True)
    names = [PurePosixPath(each["name"]).name for each in children if each["type"] == "directory"]
    found = read_each(folder, lambda name: (folder / name / STYLES).is_file(), names)
    return [folder / name / STYLES for name in compress(names, found)]


def _list_folder(root: Path, top: str, kind: str) -> Iterator[Entry]:
    if is_remote(root):
        yield from _list_objects(root, top, kind)
    elif os.path.lexists(root / top):
        yield from _walk(root, top, kind)


def _walk(root: Path, top: str, kind: str) -> Iterator[Entry]:
    """Go down each folder as it is met: a catalogue may have a folder per product."""
    line = [_scan(root, top, kind)]
    while line:
        found = next(line[-1], None)
        if found is None:
            line.pop()
        elif isinstance(found, Entry):
            yield found
        else:
            line.append(_scan(root, found, kind))


def _scan(root: Path, below: str, kind: str) -> Iterator[Entry | str]:
    """Return what a folder has, as it comes: entries of its files, the names of its folders."""
    try:
        scan = os.scandir(root / below)
    except OSError as error:
        problem = f"{CANNOT_READ}{reason(error)}"
        yield Entry(_readable(below), kind, None, 0, 0, problem=problem)
        return
    with _to_its_end(root / below), scan:
        for child in scan:
            path = f"{below}/{child.name}"
            # Links to folders inside the catalogue could lead in circles.
            is_folder = child.is_dir(follow_symlinks=False)
            yield path if is_folder else _file_entry(path, kind, child)


@contextmanager
def _to_its_end(folder: Path) -> Iterator[None]:
    """Raise FashionrecError where a listing breaks off: what it has not told is not gone."""
    try:
        yield
    except OSError as error:
        raise FashionrecError(f"{folder}: cannot be listed: {reason(error)}") from error


def _children(folder: Path) -> Sequence[os.DirEntry[str] | Path]:
    with _to_its_end(folder):
        if is_remote(folder):
            return list(folder.iterdir())
        with os.scandir(folder) as scan:  # pathlib asks for the status of each anew
            return list(scan)


def _list_objects(root: Path, top: str, kind: str) -> Iterator[Entry]:
    """List what an object store has below a name, as it comes."""
    with _to_its_end(root / top):
        for name, size, modified in list_objects(root / top):
            path, mtime = f"{top}/{name}", int(modified.timestamp() * 1_000_000)
            problem = NOT_REGULAR if path.endswith("/") else None
            yield Entry(path, kind, id_of(name), size, mtime, problem=problem)


def _file_entry(path: str, kind: str, child: os.DirEntry[str] | Path) -> Entry:
    readable = _readable(path)
    try:
        status = child.stat()
    except OSError as error:  # a link to nowhere, or gone since it was listed
        told = f"{CANNOT_READ}{reason(error)}"
        return Entry(readable, kind, id_of(path), 0, 0, problem=told)
    problem = None if S_ISREG(status.st_mode) else NOT_REGULAR
    if readable != path:
        problem = _NOT_UTF8
    mtime = status.st_mtime_ns // 1000
    return Entry(readable, kind, id_of(path), status.st_size, mtime, problem=problem)


def _readable(path: str) -> str:
    """Return a path as text: of bytes that are not UTF-8 as Python writes them, b'...'.

    No other path is equal to it, since all begin with `images` or `styles`.
    """
    encoded = os.fsencode(path)
    try:
        return encoded.decode()
    except UnicodeDecodeError:
        return repr(encoded)
