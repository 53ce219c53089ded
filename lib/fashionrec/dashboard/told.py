"""Rows that tell of the nights: runs, their steps and counts, audits, rejects, violations."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from fashionrec.audit_names import MEASURES, value_of
from fashionrec.dashboard.warehouse import Warehouse
from fashionrec.settings import AuditSettings


def runs(warehouse: Warehouse, history: list[dict[str, Any]]) -> pd.DataFrame:
    """Return the runs of `last_runs` with the seconds of each, its steps and counts."""
    columns = ["run_id", "job", "status", "started_at", "finished_at", "message"]
    table = pd.DataFrame(history, columns=columns)
    known = warehouse.rows("SELECT run_id, counts, seconds AS steps FROM runs")
    table = table.merge(known, on="run_id", how="left")
    for name in ("counts", "steps"):
        table[name] = table[name].map(_as_dict)
    took = pd.to_datetime(table["finished_at"], utc=True) - pd.to_datetime(
        table["started_at"], utc=True
    )
    return table.assign(seconds=took.dt.total_seconds())


def _as_dict(value: Any) -> dict[str, float]:
    return dict(value) if isinstance(value, Mapping | list) else {}


def seconds_of(table: pd.DataFrame) -> pd.DataFrame:
    """Return run, step and seconds, the earliest run first."""
    rows = [
        {
            "run": f"{row['started_at']:%m-%d %H:%M:%S} {row['job']}",
            "step": step,
            "seconds": seconds,
        }
        for row in reversed(table.to_dict("records"))
        for step, seconds in row["steps"].items()
        if "." not in step  # else a part of a step, summed over its tasks
    ]
    return pd.DataFrame(rows, columns=["run", "step", "seconds"])


def counts_of(counts: Mapping[str, float]) -> pd.DataFrame:
    """Return what a run counted: step, what and count; what its audits measured is `audits`'."""
    rows = [
        (*_split(name), int(count))
        for name, count in counts.items()
        if not name.startswith("audits.")
    ]
    return pd.DataFrame(rows, columns=["step", "what", "count"])


def _split(name: str) -> tuple[str, str]:
    step, _, what = name.rpartition(".")
    return step, what.replace("_", " ")


def audits(run: Mapping[Any, Any], rules: Mapping[str, AuditSettings]) -> pd.DataFrame:
    """Return each rule of the audits, what a run measured by it, its limit as conf has it, and what
    came of it; empty where the run did not measure it, or before runs recorded it.
    """
    message = str(run["message"] or "")
    rows = []
    for name, measures in MEASURES.items():
        rule, value = rules[name], value_of(name, run["counts"])
        broken = f"audits.{name}.limit is" in message
        came_of_it = "" if value is None and not broken else "passed"
        if broken:
            came_of_it = "refused" if rule.severity == "refuse" else "warned"
        rows.append(
            (measures, "" if value is None else _short(value), _short(rule.limit), came_of_it)
        )
    return pd.DataFrame(rows, columns=["what", "measured", "limit", "result"])


def _short(value: float) -> str:
    return f"{value:,.4f}".rstrip("0").rstrip(".")


def summed_rejects(warehouse: Warehouse) -> pd.DataFrame:
    """Return how many rejects there are for each reason."""
    return warehouse.rows(
        "SELECT source, reason, count(*) AS rejects FROM rejects GROUP BY ALL "
        "ORDER BY rejects DESC, source, reason"
    )


def rejects(warehouse: Warehouse, most: int) -> pd.DataFrame:
    """Return rejects, in the order of their places."""
    return warehouse.rows(
        "SELECT source, position, reason, raw, run_id FROM rejects ORDER BY source, position "
        f"LIMIT {most:d}"
    )


def summed_violations(warehouse: Warehouse) -> pd.DataFrame:
    """Return how many products fail each expectation."""
    return warehouse.rows(
        "SELECT expectation, holds, count(*) AS products FROM violations GROUP BY ALL "
        "ORDER BY products DESC, expectation"
    )


def violations(warehouse: Warehouse, most: int) -> pd.DataFrame:
    """Return products with what they fail, and the values that they fail it by."""
    return warehouse.rows(
        "SELECT expectation, product_id, product_display_name AS name, CAST(found AS VARCHAR) AS "
        "found, violations.run_id FROM violations LEFT JOIN products USING (product_id) "
        f"ORDER BY expectation, product_id LIMIT {most:d}"
    )
