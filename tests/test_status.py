from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from conftest import RunJob
from fashionrec.errors import StaleError
from fashionrec.lock import locked
from fashionrec.settings import LockSettings
from fashionrec.status import check_freshness, format_runs
from fashionrec.store import Store
from fashionrec.tables import HELD, RECOMMENDATIONS
from fashionrec.tables import RUNS as TABLE

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


def test_a_line_per_run_and_its_message_below() -> None:
    assert format_runs(
        [RUNS[1] | {"run_id": "a-long-one", "message": "no space; no luck"}, RUNS[0]]
    ) == (
        "a-long-one  2026-11-24 10:58  nightly  failed   90 s\n"
        "    no space\n"
        "    no luck\n"
        "now         2026-11-24 11:58  nightly  running"
    )
    assert format_runs([]) == "no run yet"


def test_only_a_night_that_succeeded_makes_it_fresh() -> None:
    told = check_freshness(RUNS, timedelta(hours=26), now=NOON)
    assert told == "recommendations: as of 2026-11-23 11:00 UTC (run good), 25.0 hours ago"
    with pytest.raises(StaleError, match=r"run good\), 25.0 hours ago; --max-age is 24.0"):
        check_freshness(RUNS, timedelta(hours=24), now=NOON)
    with pytest.raises(StaleError, match="no night has succeeded yet"):
        check_freshness(RUNS[:3], timedelta(hours=26), now=NOON)


def test_what_was_rolled_back_is_as_old_as_that_night() -> None:
    runs = [run("tonight", "nightly", "succeeded", 1), *RUNS]
    told = check_freshness(runs, timedelta(hours=26), held="good", now=NOON)
    assert told.endswith("2026-11-23 11:00 UTC (rolled back to run good), 25.0 hours ago")
    with pytest.raises(StaleError, match="rolled back to run good"):
        check_freshness(runs, timedelta(hours=24), held="good", now=NOON)


def test_the_job(
    night: Store, run_job: RunJob, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = night.read(TABLE).first()
    assert row is not None
    for run_id, job in (("dead", "ingest"), ("alive", "publish"), ("training", "finetune")):
        night.put(TABLE, row.asDict() | {"run_id": run_id, "job": job, "status": "running"})
    warehouse, lock = Path(night.warehouse), LockSettings(wait_seconds=0, dead_after_seconds=61)
    with locked(warehouse, "alive", lock), locked(warehouse, "training", lock, "checkpoints/a"):
        assert run_job("status", "--warehouse", night.warehouse) == 0
    lines = capsys.readouterr().out.splitlines()
    found = {line.split()[0]: line.split()[4] for line in lines if not line.startswith(" ")}
    assert found.items() >= {
        "first": "succeeded", "dead": "abandoned", "alive": "running", "training": "running"
    }.items()  # fmt: skip
    night.mark(RECOMMENDATIONS, {HELD: "first"})
    assert run_job("status", "--warehouse", night.warehouse, "--runs", "1") == 0
    assert "(rolled back to run first)" in capsys.readouterr().out.splitlines()[-1]
    assert run_job("status", "--warehouse", night.warehouse, "--max-age", "0") == 4
    assert run_job("status", "--warehouse", tmp_path) == 1
    assert "there is no such table yet: run nightly first" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["--max-age=nan", "--max-age=-1", "--max-age=x", "--runs=0"])
def test_wrong_figures_are_wrong_use(wrong: str, tmp_path: Path, run_job: RunJob) -> None:
    assert run_job("status", wrong, "--warehouse", tmp_path) == 2
