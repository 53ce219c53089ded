"""Upkeep changes files and no row, and deletes nothing that is still needed."""

import json
import os
import shutil
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import deltalake
import pyarrow as pa
import pytest

from conftest import RunJob
from fashionrec import tables
from fashionrec.config import load
from fashionrec.maintain import is_due, maintain
from fashionrec.runs import Run, new_run_id
from fashionrec.store import Store
from fashionrec.tables import (
    EMBEDDINGS,
    IMAGES,
    NEIGHBOURS,
    PRODUCTS,
    RECOMMENDATIONS,
    RUNS,
    Table,
)

SETTINGS = load().maintain
NOW = datetime.now(UTC)


def new_run(store: Store) -> Run:
    return Run(new_run_id(), "maintain", NOW, store.versions())


def rows(store: Store, table: Table) -> list[str]:
    return sorted(map(str, store.scan(table, table.names).to_table().to_pylist()))


def contents(store: Store) -> dict[str, list[str]]:
    return {table.name: rows(store, table) for table in tables.NIGHTLY if table != RUNS}


def commits(store: Store) -> dict[str, int]:
    """Every commit counts here, those of upkeep as well."""
    names = [table.name for table in tables.NIGHTLY if table != RUNS]
    return {name: deltalake.DeltaTable(f"{store.warehouse}/{name}").version() for name in names}


def ranges(store: Store, table: Table) -> list[tuple[int, int, int]]:
    """Lowest and highest product_id and the rows of each file, in order."""
    delta = deltalake.DeltaTable(store.path(table))
    files = pa.table(delta.get_add_actions(flatten=True)).to_pylist()
    keys = ("min.product_id", "max.product_id", "num_records")
    return sorted(tuple(file[key] for key in keys) for file in files)


def test_upkeep_is_no_change_to_any_step(night: Store, catalogue: Path, run_job: RunJob) -> None:
    before, states = contents(night), [night.state(table) for table in tables.NIGHTLY]
    versions = night.versions()
    assert len(ranges(night, RECOMMENDATIONS)) > 1
    assert run_job("maintain", "--warehouse", night.warehouse) == 0
    assert contents(night) == before
    assert [night.state(table) for table in tables.NIGHTLY] == states
    assert len(ranges(night, RECOMMENDATIONS)) == len(ranges(night, PRODUCTS)) == 1

    made, options = commits(night), ("--catalogue", catalogue, "--warehouse", night.warehouse)
    assert run_job("nightly", *options) == 0
    assert run_job("maintain", "--warehouse", night.warehouse) == 0
    assert commits(night) == made
    assert night.versions() == versions | {"runs": night.version(RUNS)}
    assert "maintain.files_compacted" in dict(night.read(RUNS).where("job = 'maintain'").first()[5])


def test_the_night_after_goes_on_from_the_lists(
    night: Store, catalogue: Path, tmp_path: Path, run_job: RunJob
) -> None:
    maintain(night, SETTINGS, new_run(night))
    copy = shutil.copytree(catalogue, tmp_path / "copy")
    lines = (copy / "styles.csv").read_bytes().splitlines(keepends=True)
    (copy / "styles.csv").write_bytes(b"".join(lines[:-2]))
    options = ("--catalogue", copy, "--warehouse", night.warehouse, "--run-id", "second")
    # As a broken plan stands for: what an unfinished training reads is not known, so nothing goes.
    plan = Path(night.warehouse) / "checkpoints" / "x" / "plan.json"
    plan.parent.mkdir(parents=True)
    plan.write_text("{}")
    assert run_job("nightly", *options, "--set", "maintain.every_days=0") == 0
    second = night.read(RUNS).where("run_id = 'second'").first()
    assert second.counts["neighbours.rebuilt"] == 0
    assert second.counts["neighbours.rows_changed"] > 0
    assert second.status == "succeeded"
    assert "maintain: KeyError: 'table_version'" in second.message
    assert "maintain" not in second.seconds


def test_files_become_ranges_of_products_and_no_larger_than_their_table_wants(store: Store) -> None:
    for start in range(5):
        ids = range(start, 10_000, 5)
        columns = {"product_id": ids, "content": [b"%08d" % id * 100 for id in ids]}
        added = pa.table(columns | {n: [None] * len(ids) for n in (*IMAGES.names[3:], "sha256")})
        added = added.select(IMAGES.names).cast(store.arrow_schema(IMAGES))
        deltalake.write_deltalake(store.path(IMAGES), added, mode="append")
    assert store.compact(IMAGES, SETTINGS) == 5
    files = ranges(store, IMAGES)
    assert all(one[1] < following[0] for one, following in pairwise(files))
    assert sum(file[2] for file in files) == 10_000
    assert max(file[2] for file in files) < 3 * IMAGES.rows_per_file
    assert store.compact(IMAGES, SETTINGS) == 0


def test_a_table_that_is_too_large_to_sort_is_compacted(night: Store) -> None:
    before = contents(night)
    maintain(night, SETTINGS.model_copy(update={"sort_bytes": 0}), new_run(night))
    assert len(ranges(night, RECOMMENDATIONS)) == 1
    assert contents(night) == before


def test_what_killed_workers_left_goes_once_it_is_old(night: Store) -> None:
    old, new = (Path(night.path(EMBEDDINGS)) / f"part-{age}.parquet" for age in ("old", "new"))
    for file in (old, new):
        file.write_bytes(b"half a file")
    long_ago = time.time() - 3600 * (SETTINGS.keep_hours + 1)
    os.utime(old, (long_ago, long_ago))
    maintain(night, SETTINGS, new_run(night))
    assert (old.exists(), new.exists()) == (False, True)


def test_versions_that_are_needed_outlive_every_retention(night: Store) -> None:
    night.create_missing(tables.ALL)
    products, embeddings = night.version(PRODUCTS), night.version(EMBEDDINGS)
    first = night.version(RECOMMENDATIONS)
    published = rows(night, RECOMMENDATIONS)
    trained = [write_training_set(night, product_id) for product_id in (1, 2, 3)]
    plan = Path(night.warehouse) / "checkpoints" / "x" / "plan.json"
    plan.parent.mkdir(parents=True)
    plan.write_text(json.dumps({"table_version": trained[1]}))

    night.delete(PRODUCTS, "true")
    night.delete(EMBEDDINGS, "true")
    night.delete(RECOMMENDATIONS, "true")
    maintain(night, SETTINGS.model_copy(update={"keep_hours": 0}), new_run(night))

    def kept(table: Table, version: int) -> bool:
        return night.read_version(table, table.key, version) is not None

    assert kept(PRODUCTS, products)
    assert kept(EMBEDDINGS, embeddings)
    assert [kept(tables.TRAINING_SET, version) for version in trained] == [False, True, True]
    night.restore(RECOMMENDATIONS, first, {})
    assert rows(night, RECOMMENDATIONS) == published
    assert not kept(NEIGHBOURS, 10**6)


def write_training_set(store: Store, product_id: int) -> int:
    row = dict.fromkeys(tables.TRAINING_SET.names) | {"product_id": product_id, "split": "train"}
    schema = store.read(tables.TRAINING_SET).schema
    rows = store.spark.createDataFrame([tuple(row[name] for name in schema.names)], schema)
    return store.replace(tables.TRAINING_SET, rows, state={})


def test_old_runs_are_forgotten(night: Store) -> None:
    (last,) = night.scan(RUNS, RUNS.names).to_table().to_pylist()
    night.put(RUNS, last | {"run_id": "old", "finished_at": NOW - timedelta(days=401)})
    night.put(RUNS, last | {"run_id": "young", "finished_at": NOW - timedelta(days=399)})
    assert night.compact(RUNS, SETTINGS) == 3  # of one file some rows are forgotten
    run = new_run(night)
    maintain(night, SETTINGS, run)
    kept = night.scan(RUNS, ["run_id"]).to_table()["run_id"].to_pylist()
    assert sorted(kept) == ["first", "young"]
    assert run.counts["maintain.runs_forgotten"] == 1


@pytest.mark.parametrize(("days", "due"), [(6, False), (8, True)])
def test_due_when_the_first_run_or_the_last_upkeep_is_long_ago(
    night: Store, days: int, due: bool
) -> None:
    (first,) = night.scan(RUNS, RUNS.names).to_table().to_pylist()
    assert "maintain" not in dict(first["seconds"])
    assert is_due(night, SETTINGS, first["started_at"] + timedelta(days=days)) == due
    began = first["started_at"] + timedelta(days=20)
    upkeep = {"run_id": "upkeep", "started_at": began, "seconds": {"maintain": 1.0}}
    night.put(RUNS, first | upkeep)
    assert is_due(night, SETTINGS, began + timedelta(days=days)) == due
