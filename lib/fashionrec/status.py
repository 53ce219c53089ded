"""The last runs of a warehouse, and whether what is published is fresh: no JVM."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fashionrec.errors import StaleError
from fashionrec.read import existing_dataset
from fashionrec.tables import RUNS

Row = dict[str, Any]

_PUBLISHES = ("nightly", "publish")
_COLUMNS = ["run_id", "job", "status", "started_at", "finished_at", "message"]


def last_runs(warehouse: Path) -> list[Row]:
    """Return the warehouse's runs, the latest first.

    Raises:
        FashionrecError: the warehouse has no record of runs.
    """
    rows = existing_dataset(warehouse, RUNS).to_table(columns=_COLUMNS).to_pylist()
    return sorted(rows, key=lambda row: row["started_at"], reverse=True)


def format_runs(runs: list[Row]) -> str:
    """Return a line per run: id, job, how it ended, how long it took, and its message."""
    return "\n".join(map(_line, runs)) or "no run yet"


def _line(run: Row) -> str:
    took = ""
    if run["finished_at"] is not None:
        took = f"{(run['finished_at'] - run['started_at']).total_seconds():,.0f} s"
    line = f"{run['run_id']:<22} {run['job']:<10} {run['status']:<10} {took:>8}"
    return f"{line}  {run['message'] or ''}".rstrip()


def check_freshness(runs: list[Row], max_age: timedelta, now: datetime | None = None) -> str:
    """Return when `recommendations` was last brought up to date.

    Raises:
        StaleError: that was longer ago than `max_age`, or never.
    """
    good = (r for r in runs if r["status"] == "succeeded" and r["job"] in _PUBLISHES)
    last = next(good, None)
    if last is None:
        raise StaleError("recommendations: no night has succeeded yet: run nightly")
    age = (now or datetime.now(UTC)) - last["finished_at"]
    told = f"recommendations: as of {last['finished_at']:%Y-%m-%d %H:%M} UTC (run {last['run_id']})"
    if age > max_age:
        raise StaleError(f"{told}, {_hours(age)} hours ago; --max-age is {_hours(max_age)}")
    return told


def _hours(span: timedelta) -> str:
    return f"{span / timedelta(hours=1):,.1f}"
