"""Which files a catalogue has, and their bytes: files in folders, and members of tar shards."""

import os
import tarfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

from fashionrec.errors import FashionrecError
from fashionrec.ingest.styles import as_product_id

IMAGE, DETAILS = "image", "styles.json"


@dataclass(frozen=True)
class Entry:
    """A file of the catalogue, or a member of one of its tar shards.

    `path` is below the catalogue's folder, TAR!MEMBER for a member; `mtime` in microseconds since
    1970, of the whole tar for a member, because a rewritten tar may keep its members' times;
    `archive` and `offset` (bytes) say where a member's content starts.
    """

    path: str
    kind: str
    product_id: int | None
    size: int
    mtime: int
    archive: str | None = None
    offset: int | None = None
    problem: str | None = None


def list_catalogue(folder: Path) -> Iterator[Entry]:
    """Return every image entry and every styles/*.json of the catalogue, by name only."""
    yield from _list_folder(folder, "images", IMAGE)
    for shard in sorted(folder.glob("images*.tar")):
        yield from _list_tar(folder, shard.name)
    for entry in _list_folder(folder, "styles", DETAILS):
        if entry.path.endswith(".json"):
            yield entry


def find_styles(folder: Path) -> Path:
    """Return the catalogue's styles.csv.

    Raises:
        FashionrecError: it is not there; where it lies deeper, the message says so.
    """
    if not folder.is_dir():
        raise FashionrecError(f"{folder}: there is no such folder; --catalogue names the catalogue")
    if (folder / "styles.csv").is_file():
        return folder / "styles.csv"
    deeper = sorted(str(path.parent) for path in folder.glob("*/**/styles.csv"))[:1]
    hint = f"there is one in {deeper[0]}: give that folder" if deeper else "a catalogue needs one"
    raise FashionrecError(f"{folder}: has no styles.csv; {hint}")


def read_content(folder: Path, entry: Entry, max_bytes: int) -> bytes:
    """Return the entry's bytes, at most `max_bytes` + 1 of them.

    Raises:
        OSError: the file cannot be read.
    """
    with (folder / (entry.archive or entry.path)).open("rb") as file:
        if entry.offset is not None:
            file.seek(entry.offset)
            return file.read(min(entry.size, max_bytes + 1))
        return file.read(max_bytes + 1)


def _list_folder(root: Path, below: str, kind: str) -> Iterator[Entry]:
    """Walk a folder in the order of names; links to folders inside it could lead in circles."""
    if not (root / below).is_dir():
        return
    with os.scandir(root / below) as scan:
        children = sorted(scan, key=lambda child: child.name)
    for child in children:
        path = f"{below}/{child.name}"
        if child.is_dir(follow_symlinks=False):
            yield from _list_folder(root, path, kind)
        else:
            yield _file_entry(path, kind, child)


def _file_entry(path: str, kind: str, child: os.DirEntry[str]) -> Entry:
    readable = os.fsencode(path).decode("utf-8", "backslashreplace")
    try:
        status = child.stat()
    except OSError as error:  # a link to nowhere, or gone since it was listed
        return Entry(
            readable, kind, _id_of(path), 0, 0, problem=f"cannot be read: {error.strerror}"
        )
    problem = None if S_ISREG(status.st_mode) else "not a regular file"
    if readable != path:
        problem = "the file's name is not UTF-8"
    mtime = status.st_mtime_ns // 1000
    return Entry(readable, kind, _id_of(path), status.st_size, mtime, problem=problem)


def _list_tar(folder: Path, shard: str) -> Iterator[Entry]:
    """List a shard from its headers; damage and what lies beyond it are one entry, a problem."""
    status = (folder / shard).stat()
    mtime = status.st_mtime_ns // 1000
    seen: Counter[str] = Counter()
    try:
        with tarfile.open(folder / shard, "r:", errors="backslashreplace") as tar:
            while member := tar.next():
                tar.members.clear()  # type: ignore[attr-defined]  # it would keep every one
                seen[member.name] += 1
                if not member.isdir():
                    yield _member_entry(shard, member, mtime, seen[member.name])
            _check_end(tar)
    except (tarfile.TarError, OSError, ValueError) as error:
        yield Entry(shard, IMAGE, None, status.st_size, mtime, problem=f"damaged tar: {error}")


def _check_end(tar: tarfile.TarFile) -> None:
    """Raise where the shard does not end in a block of zeros: tarfile stops there silently."""
    assert tar.fileobj is not None
    tar.fileobj.seek(tar.offset)
    if tar.fileobj.read(tarfile.BLOCKSIZE).strip(b"\0"):
        raise tarfile.ReadError(f"no header at byte {tar.offset:,}")


def _member_entry(shard: str, member: tarfile.TarInfo, mtime: int, occurrence: int) -> Entry:
    problem = None if member.isreg() and not member.issparse() else "not a regular file"
    again = f"#{occurrence}" if occurrence > 1 else ""  # a tar may hold a name several times
    return Entry(
        path=f"{shard}!{member.name}{again}",
        kind=IMAGE,
        product_id=_id_of(member.name),
        size=member.size,
        mtime=mtime,
        archive=shard,
        offset=member.offset_data,
        problem=problem,
    )


def _id_of(path: str) -> int | None:
    return as_product_id(Path(path).stem)
