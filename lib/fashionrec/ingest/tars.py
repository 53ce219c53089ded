"""The members of a tar shard, from its headers alone: nothing is unpacked."""

import io
import sqlite3
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from fashionrec.errors import FashionrecError, reason
from fashionrec.ingest.entries import IMAGE, NOT_REGULAR, Entry, id_of
from fashionrec.paths import open_raw

_Times = Callable[[str], int]

_MAX_SIZE = 1 << 60
_MOST_BETWEEN = 16 << 20  # bytes of headers before a member, or of padding behind the last one


def list_tar(folder: Path, shard: Entry) -> Iterator[Entry]:
    """List a shard from its headers; damage and what lies beyond it are one entry, a problem.

    Raises:
        FashionrecError: the file cannot be read to its end, so its members are not known.
    """
    try:
        with (
            _times() as times,
            _Shard(folder / shard.path) as file,
            tarfile.open(fileobj=file, mode="r:", errors="backslashreplace") as tar,
        ):
            for member in _members(tar, file):
                if not member.isdir():
                    path = _unique(f"{shard.path}!{member.name}", times)
                    yield _member_entry(shard.path, path, member, shard.mtime)
            _check_end(tar, file)
    except (sqlite3.Error, FashionrecError):
        raise  # this machine's disk is full, or the shard cannot be read: that is no damage
    except Exception as error:  # tarfile raises whatever its parser stumbles on
        problem = f"damaged tar: {error or type(error).__name__}"
        yield replace(shard, product_id=None, problem=problem)


class _Shard(io.BufferedReader):
    """A tar whose headers cannot fill the memory: tarfile reads whole what they announce."""

    left = _MOST_BETWEEN

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            super().__init__(open_raw(path))
        except Exception as error:
            raise self._unread(error) from error

    def read(self, size: int | None = -1, /) -> bytes:
        self.left -= size or 0
        if self.left < 0:
            raise tarfile.ReadError(f"more than {_MOST_BETWEEN:,} bytes that are no member's")
        try:
            return super().read(size)
        except Exception as error:
            raise self._unread(error) from error

    def _unread(self, error: Exception) -> FashionrecError:
        return FashionrecError(f"{self._path}: cannot be read: {reason(error)}")


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


@contextmanager
def _times() -> Iterator[_Times]:
    """Give a function that says how often it has been asked of a text, this time included.

    A shard may have millions of members: their names are on disk, where they do not fit into a
    few megabytes.
    """
    with closing(sqlite3.connect("")) as names:
        names.execute("PRAGMA journal_mode = OFF")
        names.execute("CREATE TABLE asked (name TEXT PRIMARY KEY, times INT) WITHOUT ROWID")
        count = """
            INSERT INTO asked VALUES (?, 1) ON CONFLICT DO UPDATE SET times = times + 1
            RETURNING times"""
        yield lambda name: int(names.execute(count, (name,)).fetchone()[0])


def _unique(name: str, times: _Times) -> str:
    """Number a name that the tar holds again, past those that have its number of their own."""
    count = times(name)
    if count == 1:
        return name
    while times(path := f"{name}#{count}") > 1:
        count = times(name)
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
        product_id=id_of(member.name),
        size=member.size,
        mtime=mtime,
        archive=shard,
        offset=member.offset_data,
        problem=problem,
    )
