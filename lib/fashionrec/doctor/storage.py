"""Rights on the storage of a warehouse, and what Delta's log needs of it."""

import fcntl
import os
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from uuid import uuid4

import psutil

from fashionrec.doctor.finding import Finding, fail, ok, warn
from fashionrec.errors import reason
from fashionrec.paths import at, is_remote, told_as_os_error

_SHARED = ("nfs", "cifs", "smb", "fuse")  # names of file systems that several hosts may mount
# Where only one of two writers can create a file; on S3 both can, unless a log store sees to it.
_EXCLUSIVE = ("hdfs", "abfs", "abfss", "wasb", "wasbs", "gs")
_S3 = ("s3", "s3a", "s3n")
_FOR_SEVERAL = "io.delta.storage.S3DynamoDBLogStore"


@dataclass(frozen=True)
class Probe:
    """Where a file was tried: the folder, its file system, and the seconds since 1970 that this
    host and the storage say it was written at."""

    folder: Path
    system: str
    now: float
    mtime: float


def scheme_of(location: str) -> str:
    """Return file, s3a, hdfs, ...; a path is a file's."""
    return location.partition("://")[0] if "://" in location else "file"


def _folder(location: str) -> Path:
    return Path(location.removeprefix("file://"))


def nearest(folder: Path) -> Path:
    """Return the folder, or that above it in which it will be made."""
    return next(place for place in (folder, *folder.parents) if place.exists())


def probe(location: str) -> Probe:
    """Do with a small file what nights do: write, lock, rename, link, delete.

    delta-rs commits by a hard link, which fails where the file is there already; in an object store
    files are just written, read and deleted.

    Raises:
        OSError: the storage does not allow it.
    """
    return _probe_object(at(location)) if is_remote(location) else _probe_file(location)


def _probe_object(folder: Path) -> Probe:
    file, now = folder / f"_doctor.{uuid4().hex}", time.time()
    with told_as_os_error():
        file.write_bytes(b"probe")
    try:
        file.read_bytes()
        return Probe(folder, scheme_of(str(folder)), now, file.stat().st_mtime)
    finally:
        file.unlink()


def _probe_file(location: str) -> Probe:
    folder = nearest(_folder(location))
    with NamedTemporaryFile(prefix="_doctor.", dir=folder, delete=False) as file:
        written, renamed = Path(file.name), Path(f"{file.name}.renamed")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.write(b"probe")
            file.flush()
            now = time.time()
            written.rename(renamed)
            os.link(renamed, written)
            return Probe(folder, system_of(location), now, renamed.stat().st_mtime)
        finally:
            written.unlink(missing_ok=True)
            renamed.unlink(missing_ok=True)


def system_of(location: str) -> str:
    """Return the name of a folder's file system (ext4, nfs4, ...), or a URI's scheme."""
    if is_remote(location):
        return scheme_of(location)
    mounts = {Path(part.mountpoint): part.fstype for part in psutil.disk_partitions(all=True)}
    place = _folder(location).resolve()
    return next((mounts[p] for p in (place, *place.parents) if p in mounts), "unknown")


def check_rights(location: str) -> Finding:
    """Check that a night could write where the warehouse is, or will be."""
    try:
        found = probe(location)
    except OSError as error:
        return fail(
            f"{location}: a file cannot be written, locked, renamed, linked and deleted there "
            f"({reason(error)})",
            "give this user the rights, or another folder with --warehouse",
        )
    as_it_is = is_remote(location) or found.folder == _folder(location)
    made = "" if as_it_is else f", to be made below {found.folder}"
    return ok(f"{location}{made} ({found.system})")


def check_log_store(location: str, system: str, log_store: str) -> Finding:
    """Check that of two writers one alone can make a commit.

    log_store: the class that Spark's settings name for this kind of storage, if any.
    """
    scheme = scheme_of(location)
    if not is_remote(location):
        if not system.startswith(_SHARED):
            return ok(f"{system}: a file is created by one writer alone")
        todo = "let nights run on one host, or see that flock and hard links hold among all of them"
        return warn(f"{system}, which several hosts may mount", todo)
    if scheme in _EXCLUSIVE:
        return ok(f"{scheme}: a file is created by one writer alone")
    if scheme in _S3 and log_store == _FOR_SEVERAL:
        return ok(f"{scheme} through {_FOR_SEVERAL}")
    todo = f"set spark.delta.logStore.{scheme}.impl={_FOR_SEVERAL}, the same for every writer"
    if scheme not in _S3:
        todo = "see what Delta Lake says of this storage"
    return warn(f"{scheme}: of two commits at once one may be lost", todo)
