"""The last runs of a warehouse, and whether what is published is fresh: no JVM."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fashionrec.errors import StaleError
from fashionrec.lock import holders
from fashionrec.read import TableReader
from fashionrec.settings import LockSettings
from fashionrec.tables import ABANDONED, RUNS, Row

_PUBLISHES = ("nightly", "publish")
_COLUMNS = ["run_id", "job", "status", "started_at", "finished_at", "message"]
_MINUTES = "%Y-%m-%d %H:%M"


def last_runs(warehouse: Path, lock: LockSettings) -> list[Row]:
    """Return the warehouse's runs, the latest first.

    A run that is 'running' and holds nothing was killed: it is told as the next run will record it.

    Raises:
        FashionrecError: the warehouse has no record of runs.
    """
    reader = TableReader(warehouse)
    reader.require(RUNS)
    running = {row["run_id"] for row in _runs(reader) if row["status"] == "running"}
    dead = running - {holder.run_id for holder in holders(warehouse, lock).values()}
    rows = _runs(reader)  # once more: a run lets its lock go when its end is recorded
    for row in rows:
        if row["status"] == "running" and row["run_id"] in dead:
            row |= ABANDONED
    return sorted(rows, key=lambda row: row["started_at"], reverse=True)


def _runs(reader: TableReader) -> list[Row]:
    return list(reader.scan(RUNS, _COLUMNS).to_table().to_pylist())


def format_runs(runs: Sequence[Row]) -> str:
    """Return a line per run: id, start in UTC, job, how it ended, seconds; its message below it."""
    cells = [_cells(run) for run in runs]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for run, row in zip(runs, cells, strict=True):
        padded = (text.ljust(width) for text, width in zip(row, widths, strict=True))
        lines.append("  ".join(padded).rstrip())
        lines += [f"    {part}" for part in (run["message"] or "").split("; ") if part]
    return "\n".join(lines) or "no run yet"


def _cells(run: Row) -> list[str]:
    took = ""
    if run["finished_at"] is not None:
        took = f"{(run['finished_at'] - run['started_at']).total_seconds():,.0f} s"
    began = run["started_at"].strftime(_MINUTES)
    return [run["run_id"], began, run["job"], run["status"], took]


def check_freshness(
    runs: Sequence[Row], max_age: timedelta, held: str | None = None, now: datetime | None = None
) -> str:
    """Return when `recommendations` was last brought up to date.

    `held`: the run that they were rolled back to, whose they are until `publish --resume`.

    Raises:
        StaleError: that was longer ago than `max_age`, or never.
    """
    good = [run for run in runs if run["status"] == "succeeded" and run["job"] in _PUBLISHES]
    last = next((run for run in good if held in (None, run["run_id"])), None)
    if last is None:
        raise StaleError("recommendations: no night has succeeded yet: run nightly")
    age = (now or datetime.now(UTC)) - last["finished_at"]
    run = f"rolled back to run {held}" if held else f"run {last['run_id']}"
    when = last["finished_at"].strftime(_MINUTES)
    told = f"recommendations: as of {when} UTC ({run}), {_hours(age)} hours ago"
    if age > max_age:
        raise StaleError(f"{told}; --max-age is {_hours(max_age)}")
    return told


def _hours(span: timedelta) -> str:
    return f"{span / timedelta(hours=1):,.1f}"
