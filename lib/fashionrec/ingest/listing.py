"""Which files a catalogue has, and their bytes: files in folders, and members of tar shards."""

import io
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from stat import S_ISREG

from fashionrec.errors import FashionrecError
from fashionrec.ingest.styles import as_product_id

STYLES, IMAGE, DETAILS = "styles.csv", "image", "styles.json"
LINKS, LINK = "images.csv", "link"
CANNOT_READ = "cannot be read: "  # such problems may go without a trace: they are tried again
_MAX_SIZE = 1 << 60
_MOST_BETWEEN = 16 << 20  # bytes of headers before a member, or of padding behind the last one
NOT_REGULAR = "not a regular file"
_NOT_UTF8 = "the file's name is not UTF-8"


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


def csv_entries(folder: Path) -> Iterator[Entry]:
    """Return the entries of styles.csv, and of images.csv where it is there."""
    for name in (STYLES, LINKS):
        if name == STYLES or (folder / name).is_file():
            status = (folder / name).stat()
            yield Entry(name, name, None, status.st_size, status.st_mtime_ns // 1000)


def list_catalogue(folder: Path) -> Iterator[Entry]:
    """Return every image entry and every styles/*.json of the catalogue, by name only."""
    yield from _list_folder(folder, "images", IMAGE)
    with os.scandir(folder) as scan:
        shards = [child for child in scan if fnmatchcase(child.name, "images*.tar")]
    for child in sorted(shards, key=lambda child: child.name):
        shard = _file_entry(child.name, IMAGE, child)
        yield from [shard] if shard.problem else _list_tar(folder, shard)
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
    # No deeper: the folder may be anything, such as a whole file system.
    found = [*folder.glob(f"*/{STYLES}"), *folder.glob(f"*/*/{STYLES}")]
    deeper = min((path.parent for path in found), default=None)
    hint = f"there is one in {deeper}: give that folder" if deeper else "a catalogue needs one"
    raise FashionrecError(f"{folder}: has no styles.csv; {hint}")


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


def _list_folder(root: Path, top: str, kind: str) -> Iterator[Entry]:
    """Walk a folder in the order of names; links to folders inside it could lead in circles."""
    folders = [top] if os.path.lexists(root / top) else []
    while folders:
        below = folders.pop()
        try:
            with os.scandir(root / below) as scan:
                children = sorted(scan, key=lambda child: child.name, reverse=True)
        except OSError as error:
            problem = f"{CANNOT_READ}{error.strerror}"
            yield Entry(_readable(below), kind, None, 0, 0, problem=problem)
            continue
        for child in reversed(children):
            if not child.is_dir(follow_symlinks=False):
                yield _file_entry(f"{below}/{child.name}", kind, child)
        folders += [f"{below}/{c.name}" for c in children if c.is_dir(follow_symlinks=False)]


def _file_entry(path: str, kind: str, child: os.DirEntry[str]) -> Entry:
    readable = _readable(path)
    try:
        status = child.stat()
    except OSError as error:  # a link to nowhere, or gone since it was listed
        told = f"{CANNOT_READ}{error.strerror}"
        return Entry(readable, kind, _id_of(path), 0, 0, problem=told)
    problem = None if S_ISREG(status.st_mode) else NOT_REGULAR
    if readable != path:
        problem = _NOT_UTF8
    mtime = status.st_mtime_ns // 1000
    return Entry(readable, kind, _id_of(path), status.st_size, mtime, problem=problem)


def _list_tar(folder: Path, shard: Entry) -> Iterator[Entry]:
    """List a shard from its headers; damage and what lies beyond it are one entry, a problem."""
    seen: set[str] = set()
    try:
        with (
            _Shard(io.FileIO(folder / shard.path)) as file,
            tarfile.open(fileobj=file, mode="r:", errors="backslashreplace") as tar,
        ):
            for member in _members(tar, file):
                if not member.isdir():
                    path = _unique(f"{shard.path}!{member.name}", seen)
                    yield _member_entry(shard.path, path, member, shard.mtime)
            _check_end(tar, file)
    except Exception as error:  # tarfile raises whatever its parser stumbles on
        problem = f"damaged tar: {error or type(error).__name__}"
        yield replace(shard, product_id=None, problem=problem)


class _Shard(io.BufferedReader):
    """A tar whose headers cannot fill the memory: tarfile reads whole what they announce."""

    left = _MOST_BETWEEN

    def read(self, size: int | None = -1, /) -> bytes:
        self.left -= size or 0
        if self.left < 0:
            raise tarfile.ReadError(f"more than {_MOST_BETWEEN:,} bytes that are no member's")
        return super().read(size)


def _members(tar: tarfile.TarFile, file: _Shard) -> Iterator[tarfile.TarInfo]:
    """Return the members in order, keeping none; a header must not lead back or out of bounds."""
    offset = -1
    while member := tar.next():
        file.left = _MOST_BETWEEN
        tar.members.clear()  # type: ignore[attr-defined]
        if not (0 <= member.size <= _MAX_SIZE and offset < tar.offset):
            raise tarfile.ReadError(f"{member.name} has an impossible size")
        offset = tar.offset
        yield member


def _unique(path: str, seen: set[str]) -> str:
    """Number a name that the tar holds again."""
    name, occurrence = path, 1
    while path in seen:
        occurrence += 1
        path = f"{name}#{occurrence}"
    seen.add(path)
    return path


def _check_end(tar: tarfile.TarFile, file: _Shard) -> None:
    """Raise where anything but zeros follows the last member: tarfile stops there silently."""
    file.seek(tar.offset)
    while block := file.read(1 << 16):
        if block.strip(b"\0"):
            raise tarfile.ReadError(f"more than zeros after byte {tar.offset:,}")


def _member_entry(shard: str, path: str, member: tarfile.TarInfo, mtime: int) -> Entry:
    problem = None if member.isreg() and not member.issparse() else NOT_REGULAR
    return Entry(
        path=path,
        kind=IMAGE,
        product_id=_id_of(member.name),
        size=member.size,
        mtime=mtime,
        archive=shard,
        offset=member.offset_data,
        problem=problem,
    )


def _readable(path: str) -> str:
    """Return a path that is text, whatever bytes the file system holds."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _id_of(path: str) -> int | None:
    name = os.path.basename(path)
    stem, ending = os.path.splitext(name)  # pathlib's stem was half of a listing's time
    return as_product_id(name if ending == "." else stem)
