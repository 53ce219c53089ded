"""The record of a run: its steps on the screen, its counts and seconds in the table `runs`."""

import logging
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pyarrow.dataset as ds

from fashionrec.errors import FashionrecError, one_line
from fashionrec.lock import living, locked
from fashionrec.paths import at
from fashionrec.read import TableReader
from fashionrec.settings import LockSettings
from fashionrec.tables import ABANDONED, RUNS, Row
from fashionrec.write import TableWriter

log = logging.getLogger(__name__)


@dataclass
class Run:
    """One run while it goes on."""

    run_id: str
    job: str
    started_at: datetime
    versions_read: dict[str, int]
    counts: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    model_version: str | None = None
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Record something worth knowing, and say it on the log."""
        self.notes.append(text)
        log.info("%s", text)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step of the flow and say on the log when it begins and ends."""
        log.info("%s: begins", name)
        began = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - began
        log.info("%s: done in %.1f s", name, self.seconds[name])

    def warn(self, step: str, warning: str) -> None:
        """Record something that a person should look at, and say it on the log."""
        self.warnings.append(f"{step}: {warning}")
        log.warning("%s: %s", step, warning)

    def count(self, step: str, **counts: int) -> None:
        """Record what a step counted, and say it on the log."""
        self.counts |= {f"{step}.{what}": count for what, count in counts.items()}
        log.info(
            "%s: %s", step, ", ".join(f"{n:,} {w.replace('_', ' ')}" for w, n in counts.items())
        )


def new_run_id() -> str:
    """Return an id that sorts by time: 20261124T020000-9f3c."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"


@contextmanager
def recorded(
    store: TableWriter,
    job: str,
    run_id: str | None = None,
    lock: LockSettings | None = None,
    ended: Callable[[Row], object] = lambda _: None,
    part: str | None = None,
) -> Iterator[Run]:
    """Run a job's steps between two records in `runs`: 'running', then how it ended.

    With `lock` it holds the warehouse meanwhile, or just a `part` of it, and calls runs that were
    killed 'abandoned'. `ended` is told of those, and of its own second record.

    Raises:
        HeldError: another run holds it.
        FashionrecError: the folder is no warehouse of ours; nothing was written.
    """
    run_id = run_id or new_run_id()
    store.missing()  # before the lock, which is a file in the folder
    with locked(at(store.warehouse), run_id, lock, part) if lock else nullcontext():
        store.create_missing()
        if lock:
            _abandon_the_dead(store, lock, ended)
        run = Run(run_id, job, datetime.now(UTC), _versions_before(store, run_id))
        log.info("run %s of %s in %s", run.run_id, job, store.warehouse)
        _write(store, run, "running")
        try:
            yield run
        except BaseException as error:  # Ctrl-C as well: the record must not stay 'running'
            status = error.run_status if isinstance(error, FashionrecError) else "failed"
            ended(_write(store, run, status, one_line(error)))
            raise
        ended(_write(store, run, "succeeded"))


def _versions_before(store: TableReader, run_id: str) -> dict[str, int]:
    """Return the tables' versions when the run first began: a retry goes on with the same run."""
    first = store.scan(RUNS, ["versions_read"], ds.field("run_id") == run_id).to_table()
    return dict(first["versions_read"][0].as_py()) if len(first) else store.versions()


def _abandon_the_dead(
    store: TableWriter, lock: LockSettings, ended: Callable[[Row], object]
) -> None:
    """Give runs that are 'running', and yet hold no lock, their end."""
    running = {row["run_id"] for row in _running(store)}
    dead = running - living(at(store.warehouse), lock)
    for row in _running(store):  # once more: a run lets its lock go when its end is recorded
        if row["run_id"] in dead:
            log.warning("run %s of %s was killed: it is abandoned", row["run_id"], row["job"])
            row |= ABANDONED
            store.put(RUNS, row)
            ended(row)


def _running(store: TableReader) -> list[Row]:
    where = ds.field("status") == "running"
    return list(store.scan(RUNS, RUNS.names, where).to_table().to_pylist())


def versions_written(store: TableReader, run: Run) -> dict[str, int]:
    """Return the versions of the tables whose rows have changed since the run began; not `runs`."""
    return {
        name: version
        for name, version in store.versions().items()
        if name != RUNS.name and version != run.versions_read.get(name)
    }


def _write(store: TableWriter, run: Run, status: str, *errors: str) -> Row:
    row = {
        "run_id": run.run_id,
        "job": run.job,
        "status": status,
        "started_at": run.started_at,
        "finished_at": None if status == "running" else datetime.now(UTC),
        "counts": run.counts,
        "seconds": run.seconds,
        "versions_read": run.versions_read,
        "versions_written": versions_written(store, run),
        "model_version": run.model_version,
        "message": "; ".join([*errors, *run.warnings, *run.notes]) or None,
    }
    store.put(RUNS, row)
    return row
