"""Upkeep of the tables: compaction, VACUUM, and forgetting old runs. No row of a result changes."""

import logging
from collections import Counter
from datetime import UTC, datetime, timedelta

import pyarrow.dataset as ds

from fashionrec import tables
from fashionrec.errors import FashionrecError, one_line
from fashionrec.paths import at
from fashionrec.read import TableReader
from fashionrec.rollback import published_nights
from fashionrec.runs import Run, versions_written
from fashionrec.settings import MaintainSettings
from fashionrec.tables import (
    EMBEDDINGS,
    NEIGHBOURS,
    PRODUCTS,
    RECOMMENDATIONS,
    RUNS,
    TRAINING_SET,
    Table,
)
from fashionrec.training.plan import pinned_versions
from fashionrec.write import TableWriter

log = logging.getLogger(__name__)

STEP = "maintain"


def maintain_if_due(store: TableWriter, settings: MaintainSettings, run: Run) -> None:
    """Maintain after a night that changed something; a failure is a warning of the run."""
    if not versions_written(store, run) or not is_due(store, settings):
        return
    try:
        with run.step(STEP):
            maintain(store, settings, run)
    except Exception as error:  # the night is published, and upkeep is tried again after the next
        log.debug("maintain failed", exc_info=True)
        run.warn(STEP, one_line(error))


def is_due(store: TableReader, settings: MaintainSettings, now: datetime | None = None) -> bool:
    """Say whether the last upkeep, or else the first run, was `every_days` ago."""
    runs = store.scan(RUNS, ["started_at", "seconds"]).to_table().to_pylist()
    done = [run["started_at"] for run in runs if STEP in dict(run["seconds"])]
    since: datetime = max(done) if done else min(run["started_at"] for run in runs)
    return (now or datetime.now(UTC)) - since >= timedelta(days=settings.every_days)


def maintain(store: TableWriter, settings: MaintainSettings, run: Run) -> None:
    """Bring every table in order, those that can be where one cannot.

    Raises:
        FashionrecError: naming the tables that could not be, and why.
    """
    counts, failed = Counter(runs_forgotten=_forget_runs(store, settings)), []
    pinned = _pinned(store)
    for table in filter(store.exists, tables.ALL):
        try:
            counts.update(_tidy(store, table, settings, pinned.get(table, set())))
        except Exception as error:
            log.debug("%s failed", table.name, exc_info=True)
            failed.append(f"{table.name}: {one_line(error)}")
    run.count(STEP, **counts)
    if failed:
        raise FashionrecError("; ".join(failed))


def _forget_runs(store: TableWriter, settings: MaintainSettings) -> int:
    oldest = datetime.now(UTC) - timedelta(days=settings.keep_runs_days)
    count = store.count(RUNS, ds.field("finished_at") < oldest)
    if count:
        store.delete(RUNS, f"finished_at < '{oldest.isoformat()}'")
    return count


def _tidy(
    store: TableWriter, table: Table, settings: MaintainSettings, pinned: set[int]
) -> Counter[str]:
    # The files of `training_set` are laid out for the processes of a training.
    replaced = 0 if table == TRAINING_SET else store.compact(table, settings)
    deleted = store.vacuum(table, settings.keep_hours, pinned)
    return Counter(files_compacted=replaced, files_deleted=deleted)


def _pinned(store: TableReader) -> dict[Table, set[int]]:
    """Return the versions that are needed however old they are.

    Those that lists were made from, to see what has changed since, as upkeep has left them, which
    is where they are read; what unfinished trainings read; the night that `rollback` goes back to.
    """
    lists = store.state(NEIGHBOURS)
    made_from = (EMBEDDINGS, PRODUCTS) if lists else ()
    pinned = {table: {store.same_rows(table, lists[table.name])} for table in made_from}
    nights = list(published_nights(store).values())
    trainings = pinned_versions(at(store.warehouse))
    return pinned | {RECOMMENDATIONS: set(nights[-2:]), TRAINING_SET: trainings}
