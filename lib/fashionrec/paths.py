"""Where catalogues and warehouses are: folders of this machine, or URIs of an object store.

A URI (s3a://bucket/folder, abfss://..., gs://...) is held as a `Path` too: universal_pathlib's
objects have Path's methods over fsspec's file systems. Credentials are for those to find, in the
environment or by the provider's chain; nothing here ever holds one.
"""

import errno
import io
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar, cast

from upath import UPath
from upath.implementations.cloud import AzurePath
from upath.registry import register_implementation

from fashionrec.errors import UsageError, one_line

Item = TypeVar("Item")
Result = TypeVar("Result")

_READS_AT_ONCE = 32
# adlfs reads the account of no other host, and would take one of the environment in its place.
_OTHER_AZURE = re.compile(r"abfss?://[^/]*@(?![\w-]+\.dfs\.core\.windows\.net(/|$))")


class _AzurePath(AzurePath):
    """Names its storage account in its text as well, by which others find it: Spark, delta-rs."""

    def __str__(self) -> str:
        text, account = super().__str__(), self.storage_options.get("account_name")
        scheme, is_whole, rest = text.partition("://")
        if not (account and is_whole):
            return text
        container, _, below = rest.partition("/")
        return f"{scheme}://{container}@{account}.dfs.core.windows.net/{below}"


for _scheme in ("abfs", "abfss"):
    register_implementation(_scheme, _AzurePath, clobber=True)


def is_remote(path: str | Path) -> bool:
    """Say whether a path is a URI of an object store."""
    return "://" in str(path)


def at(path: str | Path) -> Path:
    """Return a path as an object with Path's methods.

    Raises:
        UsageError: it is a URI of no kind that is known here.
    """
    if not is_remote(path):
        return Path(path)
    if _OTHER_AZURE.match(str(path)):
        raise UsageError(f"{path}: Azure's storage is CONTAINER@ACCOUNT.dfs.core.windows.net here")
    try:
        # A listing that is remembered would hide what other processes write.
        return cast(Path, UPath(path, use_listings_cache=False))
    except (ValueError, ImportError) as error:
        raise UsageError(f"{path}: {one_line(error)}") from error


def absolute(path: str | Path) -> str:
    """Return a path as text that means the same in any folder and process."""
    return str(path) if is_remote(path) else os.path.abspath(path)


def open_file(path: str | Path) -> io.BufferedReader:
    """Open a file of this machine or of an object store, to read bytes anywhere in it."""
    # fsspec's files lack part of what Python's can do, such as to read at most so much of a line.
    return io.BufferedReader(open_raw(path))


def open_raw(path: str | Path) -> io.RawIOBase:
    """Open a file as `open_file` does, for a buffer of one's own."""
    return cast(io.RawIOBase, at(path).open("rb")) if is_remote(path) else io.FileIO(path)


def read_bytes(folder: str | Path, name: str, offset: int, most: int) -> bytes:
    """Return at most so many bytes of a file below a folder, in one request of an object store.

    Raises:
        OSError: it cannot be read.
    """
    above = at(folder)
    if isinstance(above, UPath):
        path = above / name
        with told_as_os_error():
            return bytes(path.fs.cat_file(path.path, start=offset, end=offset + most))
    with open(os.path.join(folder, name), "rb") as file:  # pathlib takes as long as reading does
        file.seek(offset)
        return file.read(most)


@contextmanager
def told_as_os_error() -> Iterator[None]:
    """Raise OSError for whatever else a store's client raises: each has errors of its own."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(errno.EIO, one_line(error)) from error


def read_each(
    folder: str | Path, read: Callable[[Item], Result], items: Iterable[Item]
) -> list[Result]:
    """Apply a function that reads below a folder to each item, in order.

    Several at once in an object store, where each read waits for the network most of its time.
    """
    if not is_remote(folder):
        return list(map(read, items))
    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        return list(pool.map(read, items))


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is there as a whole or not at all, even after a power cut."""
    if is_remote(path):  # an object is never seen half-written
        path.write_bytes(content)
        return
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def copy_files(files: Iterable[Path], folder: Path) -> None:
    """Copy files into a folder, in order, to or from an object store as well."""
    if not is_remote(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        with open_file(file) as content, (folder / file.name).open("wb") as copy:
            shutil.copyfileobj(content, copy)


def create_object(path: Path, content: bytes) -> None:
    """Write an object of an object store, which only one of several can.

    Raises:
        FileExistsError: it is there.
    """
    store = cast(UPath, path)
    store.fs.pipe_file(store.path, content, mode="create")


def remove_folder(folder: Path) -> None:
    """Remove a folder and all that is in it."""
    if isinstance(folder, UPath):
        folder.fs.rm(folder.path, recursive=True)
    else:
        shutil.rmtree(folder)


def remove_if_there(folder: Path) -> None:
    """Remove a folder and all that is in it, where there is one."""
    with suppress(FileNotFoundError):
        remove_folder(folder)


def escape(path: str) -> str:
    """Return a path for Spark's readers of files, which take some characters for patterns."""
    return re.sub(r"([][{}*?\\])", r"\\\1", path)
