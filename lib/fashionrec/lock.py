"""One writing run per warehouse, or per part of it: a lock file that tells who holds it.

A run that was killed leaves its lock behind. On this host that is seen at once, by process id and
start time; a run on another host shows that it lives by renewing the file's modification time.
"""

import fcntl
import json
import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event, Thread

import psutil

from fashionrec.errors import HeldError
from fashionrec.paths import create_object, is_remote
from fashionrec.settings import LockSettings

log = logging.getLogger(__name__)

WHOLE = "_lock"  # the name of the lock of a whole warehouse; a part's follows it

_SECONDS_BETWEEN_RENEWALS = 30.0
_SECONDS_BETWEEN_TRIES = 1.0
_SECONDS_TO_SETTLE = 2.0  # far longer than a request to an object store takes
_SAME_START = 1.0  # seconds: the operating system's clock of starts is coarse


@dataclass(frozen=True)
class Holder:
    """Who holds a warehouse or part of it; `started` is the process' start, in s since 1970."""

    run_id: str
    host: str
    pid: int
    started: float


@contextmanager
def locked(
    warehouse: Path, run_id: str, settings: LockSettings, part: str | None = None
) -> Iterator[None]:
    """Hold the warehouse, or just a `part` of it, beside runs that hold something else.

    Waits for another run at most `wait_seconds`.

    Raises:
        HeldError: another run holds it.
    """
    path = warehouse / (f"{WHOLE}.{part.replace('/', '.')}" if part else WHOLE)
    if not is_remote(warehouse):
        warehouse.mkdir(parents=True, exist_ok=True)
    me = Holder(run_id, socket.gethostname(), os.getpid(), psutil.Process().create_time())
    _acquire(path, me, settings, part or "this warehouse")
    done = Event()
    renewing = Thread(target=_renew, args=(path, me, done), name="lock", daemon=True)
    renewing.start()
    try:
        yield
    finally:
        done.set()
        renewing.join()
        _release(path, me)


def living(warehouse: Path, settings: LockSettings) -> set[str]:
    """Return the runs that hold something of a warehouse and are not dead."""
    with _alone(warehouse / WHOLE):
        return {holder.run_id for holder in holders(warehouse, settings).values()}


def holders(warehouse: Path, settings: LockSettings) -> dict[str, Holder]:
    """Return who holds what and is not dead, by the lock's name, and write nothing."""
    found = {}
    for path in warehouse.glob(f"{WHOLE}*"):
        holder = _read(path)
        with suppress(FileNotFoundError):  # it was given back meanwhile
            if holder is not None and _lives(holder, path, settings):
                found[path.name] = holder
    return found


def _acquire(path: Path, me: Holder, settings: LockSettings, what: str) -> None:
    deadline = time.monotonic() + settings.wait_seconds
    while (holder := _try(path, me, settings)) is not None:
        if time.monotonic() >= deadline:
            raise HeldError(
                f"{path.parent}: run {holder.run_id} on {holder.host} (process {holder.pid}) holds "
                f"{what}: wait for it, or let lock.wait_seconds be longer"
            )
        log.info("waiting for run %s on %s", holder.run_id, holder.host)
        time.sleep(_SECONDS_BETWEEN_TRIES)


def _try(path: Path, me: Holder, settings: LockSettings) -> Holder | None:
    """Take the lock and return None, or return its holder."""
    with _alone(path):
        holder = _read(path)
        if holder is not None and _lives(holder, path, settings):
            return holder
        if holder is not None:
            log.warning("run %s is dead: taking its lock over", holder.run_id)
        if is_remote(path):
            return _try_remote(path, me, free=holder is None)
        path.write_text(_record(me))
    return None


def _try_remote(path: Path, me: Holder, *, free: bool) -> Holder | None:
    """Take a lock that is `free` by creating it, which one of several can; of those that take over
    a dead run's, the last that wrote it has it. Return None, or who has it."""
    if free:
        with suppress(FileExistsError):
            create_object(path, _record(me).encode())
            return None
        if (faster := _read(path)) is not None:
            return faster
    path.write_text(_record(me))
    time.sleep(_SECONDS_TO_SETTLE)
    holder = _read(path)
    return None if holder == me else holder or me


def _record(me: Holder) -> str:
    return json.dumps(asdict(me))


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Look at the lock and change it in one step; the operating system ends this with a process.

    An object store has no such step: see `_try_remote`.
    """
    if is_remote(path):
        yield
        return
    with path.with_name(f"{WHOLE}.guard").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        yield


def _read(path: Path) -> Holder | None:
    """Return who holds the lock; None where nobody does, or a killed run left half a record."""
    try:
        return Holder(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _lives(holder: Holder, path: Path, settings: LockSettings) -> bool:
    if holder.host != socket.gethostname():
        return time.time() - path.stat().st_mtime < settings.dead_after_seconds
    try:
        process = psutil.Process(holder.pid)
        zombie = process.status() == psutil.STATUS_ZOMBIE
        return not zombie and abs(process.create_time() - holder.started) < _SAME_START
    except psutil.NoSuchProcess:
        return False


def _renew(path: Path, me: Holder, done: Event) -> None:
    while not done.wait(_SECONDS_BETWEEN_RENEWALS):
        with suppress(OSError):
            if not is_remote(path):
                os.utime(path)
            elif _read(path) == me:
                path.write_text(_record(me))


def _release(path: Path, me: Holder) -> None:
    with _alone(path):
        if _read(path) == me:
            path.unlink()
