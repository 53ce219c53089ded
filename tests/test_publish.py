"""Write, audit, publish; and back again."""

import json
from pathlib import Path

import pytest
from pyspark.sql import functions as F

from conftest import RunJob
from fashionrec.config import load
from fashionrec.lock import locked
from fashionrec.store import Store
from fashionrec.tables import NEIGHBOURS, RECOMMENDATIONS, RUNS

Rows = set[tuple[object, ...]]


def published(store: Store) -> Rows:
    columns = ["list", "product_id", "rank", "neighbour_id", "similarity"]
    return {tuple(row) for row in store.read(RECOMMENDATIONS).select(*columns).collect()}


def last_run(store: Store) -> dict[str, object]:
    return store.read(RUNS).orderBy(F.desc("started_at")).first().asDict()


def change_neighbours(store: Store, change: str, value: str) -> None:
    rows = store.read(NEIGHBOURS)
    changed = F.when(F.expr("list = 'similar' AND rank = 1"), F.expr(value)).otherwise(
        F.col(change)
    )
    store.sync(NEIGHBOURS, rows.withColumn(change, changed.cast(rows.schema[change].dataType)))


def test_a_broken_night_is_refused_and_yesterdays_table_stays(
    night: Store, run_job: RunJob, capsys: pytest.CaptureFixture[str]
) -> None:
    before, version = published(night), night.version(RECOMMENDATIONS)
    change_neighbours(night, "neighbour_id", "product_id")
    assert run_job("publish", "--warehouse", night.warehouse) == 3
    assert (published(night), night.version(RECOMMENDATIONS)) == (before, version)
    told = last_run(night)
    assert told["status"] == "refused"
    lists = len({row[1] for row in before if row[0] == "similar"})
    assert (
        f"itself: lists with the product itself {lists} (audits.itself.limit is 0): similar of "
        in (str(told["message"]))
    )
    assert "recommendations stay as they were" in capsys.readouterr().err


def test_the_record_as_a_line_of_json(
    night: Store, run_job: RunJob, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--warehouse", night.warehouse, "--json", "--run-id", "again")
    assert run_job("publish", *options) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["run_id"], record["status"]) == ("again", "succeeded")
    assert record["counts"] == {"publish.rows_changed": 0}
    change_neighbours(night, "neighbour_id", "product_id")
    assert run_job("publish", *options) == 3
    record = json.loads(capsys.readouterr().out)
    assert record["status"] == "refused"
    assert record["message"].startswith("recommendations stay as they were: ")
    assert record["counts"]["audits.itself"] > 0
    assert [row.status for row in night.read(RUNS).where("run_id = 'again'").collect()] == [
        "refused"
    ]


def test_a_rule_may_only_warn(night: Store, run_job: RunJob) -> None:
    before = published(night)
    change_neighbours(night, "similarity", "-1")
    options = ("--set", "audits.order.severity=warn")
    assert run_job("publish", "--warehouse", night.warehouse, *options) == 0
    assert published(night) != before
    assert "order: lists whose similarity rises with rank" in str(last_run(night)["message"])


def test_what_the_table_itself_checks_is_refused_under_any_rule(
    night: Store, run_job: RunJob, capfd: pytest.CaptureFixture[str]
) -> None:
    before = published(night)
    change_neighbours(night, "neighbour_id", "product_id")
    options = ("--set", "audits.itself.severity=warn")
    assert run_job("publish", "--warehouse", night.warehouse, *options) == 1
    assert published(night) == before
    told = capfd.readouterr().err.splitlines()[-1]
    assert told.startswith("error: [DELTA_VIOLATE_CONSTRAINT_WITH_VALUES] CHECK constraint ")
    assert "other_product" in told


def test_rolled_back_until_resumed(
    night: Store, run_job: RunJob, capsys: pytest.CaptureFixture[str]
) -> None:
    first = published(night)
    change_neighbours(night, "similarity", "least(similarity + 0.001, 1)")
    paths = ("--warehouse", night.warehouse)
    assert run_job("publish", *paths) == 0
    second = published(night)
    assert second != first

    assert run_job("rollback", *paths) == 0
    assert published(night) == first
    assert "recommendations are those of first until publish --resume" in capsys.readouterr().out
    assert run_job("publish", *paths) == 0
    assert published(night) == first
    assert "first was rolled back to" in str(last_run(night)["message"])
    assert run_job("publish", *paths, "--resume") == 0
    assert published(night) == second


def test_there_must_be_a_night_to_go_back_to(
    night: Store, run_job: RunJob, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = ("--warehouse", night.warehouse)
    assert run_job("rollback", *paths) == 1
    assert "there is no published night before this one" in capsys.readouterr().err
    assert run_job("rollback", *paths, "--to", "never") == 2
    assert "--to never: that run published nothing; of those that did: first" in (
        capsys.readouterr().err
    )


def test_killed_runs_are_abandoned_by_the_next_and_others_are_not(
    night: Store, run_job: RunJob
) -> None:
    killed = last_run(night) | {"run_id": "killed", "status": "running", "finished_at": None}
    for run_id, job in (("killed", "nightly"), ("dead", "finetune"), ("training", "finetune")):
        night.put(RUNS, killed | {"run_id": run_id, "job": job})
    with locked(Path(night.warehouse), "training", load().lock, "checkpoints/fashion"):
        assert run_job("publish", "--warehouse", night.warehouse, "--run-id", "mine") == 0
        status = {row.run_id: row.status for row in night.read(RUNS).collect()}
    ends = {"killed": "abandoned", "dead": "abandoned", "training": "running"}
    assert status == {"first": "succeeded", "mine": "succeeded", **ends}


def test_a_warehouse_that_another_run_holds(
    night: Store, run_job: RunJob, capsys: pytest.CaptureFixture[str]
) -> None:
    record = '{"run_id": "other", "host": "another-host", "pid": 1, "started": 1.0}'
    (Path(night.warehouse) / "_lock").write_text(record)
    before = night.versions()
    assert run_job("publish", "--warehouse", night.warehouse) == 5
    assert "run other on another-host (process 1) holds this warehouse" in capsys.readouterr().err
    assert night.versions() == before
