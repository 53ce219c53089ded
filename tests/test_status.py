from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from conftest import RunJob
from fashionrec.errors import StaleError
from fashionrec.status import check_freshness, format_runs
from fashionrec.store import Store

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def run(run_id: str, job: str, status: str, hours_ago: float) -> dict[str, object]:
    ended = NOON - timedelta(hours=hours_ago)
    began = ended - timedelta(seconds=90)
    finished = None if status == "running" else ended
    return {
        "run_id": run_id,
        "job": job,
        "status": status,
        "started_at": began,
        "finished_at": finished,
        "message": "no space" if status == "failed" else None,
    }


RUNS = [
    run("now", "nightly", "running", 0),
    run("bad", "nightly", "failed", 1),
    run("other", "finetune", "succeeded", 2),
    run("good", "nightly", "succeeded", 25),
]


def test_a_line_per_run() -> None:
    lines = format_runs(RUNS).splitlines()
    assert [line.split() for line in lines] == [
        ["now", "nightly", "running"],
        ["bad", "nightly", "failed", "90", "s", "no", "space"],
        ["other", "finetune", "succeeded", "90", "s"],
        ["good", "nightly", "succeeded", "90", "s"],
    ]


def test_only_a_night_that_succeeded_makes_it_fresh() -> None:
    told = check_freshness(RUNS, timedelta(hours=26), NOON)
    assert told == "recommendations: as of 2026-11-23 11:00 UTC (run good)"
    with pytest.raises(StaleError, match=r"run good\), 25.0 hours ago; --max-age is 24.0"):
        check_freshness(RUNS, timedelta(hours=24), NOON)
    with pytest.raises(StaleError, match="no night has succeeded yet"):
        check_freshness(RUNS[:3], timedelta(hours=26), NOON)


def test_the_job(
    night: Store, run_job: RunJob, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_job("status", "--warehouse", night.warehouse) == 0
    assert "first                  nightly    succeeded" in capsys.readouterr().out
    assert run_job("status", "--warehouse", night.warehouse, "--max-age", "0") == 4
    assert run_job("status", "--warehouse", tmp_path) == 1
    assert "there is no such table yet: run nightly first" in capsys.readouterr().err
