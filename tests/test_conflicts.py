"""Real conflicts: the rows of a write do something else to its table while they are computed."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread

import deltalake
import pandas as pd
import pyarrow as pa
import pytest
from pyspark import cloudpickle
from pyspark.sql import DataFrame

from fashionrec.changes import Written
from fashionrec.errors import FashionrecError
from fashionrec.store import Store
from fashionrec.tables import REJECTS

# Workers cannot import this file.
cloudpickle.register_pickle_by_value(sys.modules[__name__])

SCHEMA = "run_id STRING, source STRING, position STRING, raw STRING, reason STRING"


def reject(position: str, reason: str) -> dict[str, str]:
    return {"run_id": "r", "source": "s", "position": position, "raw": "x", "reason": reason}


def optimize(path: str) -> None:
    deltalake.DeltaTable(path).optimize.compact()


def change(path: str) -> None:
    rows = pa.Table.from_pylist([reject("1", "other")])
    deltalake.write_deltalake(path, rows, mode="overwrite", predicate="position = '1'")


@pytest.fixture
def two_files(store: Store) -> Store:
    for position in ("1", "2"):
        store.put(REJECTS, reject(position, "old"))
    return store


Other = Callable[[str], None]


def interrupted(store: Store, other: Other, *rejects: dict[str, str]) -> DataFrame:
    """Rows, or else the change of one, whose computation lets `other` commit before it, once."""
    path, done = store.path(REJECTS), Path(store.warehouse) / "done"

    def between(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            if len(batch) and not done.exists():
                done.touch()
                other(path)
            yield batch

    rejected = pd.DataFrame(rejects or [reject("2", "new")])
    rows = store.spark.createDataFrame(rejected, SCHEMA).coalesce(1)
    return rows.mapInPandas(between, SCHEMA)


Change = Callable[[Store, DataFrame], None]


@pytest.fixture(params=[Store._merge, Store._write_anew])
def update(request: pytest.FixtureRequest) -> Change:
    """Both ways to write a change."""
    counts = [Written(updated=1)] if request.param == Store._write_anew else []

    def updated(store: Store, rows: DataFrame) -> None:
        changes = rows.selectExpr("*", "'update' AS _change")
        request.param(store, REJECTS, changes, *counts, store.latest(REJECTS), {"seen": 1})

    return updated


def content(store: Store) -> dict[str, str]:
    rows = store.scan(REJECTS, ["position", "reason"]).to_table().to_pylist()
    return {row["position"]: row["reason"] for row in rows}


def test_a_write_is_made_again_after_anothers_upkeep(
    two_files: Store, update: Change, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("WARNING", logger="fashionrec"):
        update(two_files, interrupted(two_files, optimize))
    assert "OPTIMIZE came between, writes again" in caplog.text
    assert content(two_files) == {"1": "old", "2": "new"}
    assert two_files.state(REJECTS) == {"seen": 1}


def test_a_write_over_rows_that_changed_meanwhile_is_refused(
    two_files: Store, update: Change
) -> None:
    optimize(two_files.path(REJECTS))  # one file, so that both writers rewrite it
    with pytest.raises(FashionrecError, match=r"another program changed its rows \(WRITE\)"):
        update(two_files, interrupted(two_files, change))
    assert content(two_files) == {"1": "other", "2": "old"}


OLD = {"1": "old", "2": "old"}


@pytest.mark.parametrize("internal", [True, False])  # written anew, and merged
@pytest.mark.parametrize("wanted", [OLD, OLD | {"2": "new"}, OLD | {"3": "new"}])
@pytest.mark.parametrize("other", [optimize, change])
def test_a_sync_of_rows_that_changed_since_they_were_compared_is_refused(
    two_files: Store, other: Other, wanted: dict[str, str], internal: bool
) -> None:
    rows = interrupted(two_files, other, *(reject(*row) for row in wanted.items()))
    table = replace(REJECTS, internal=internal)
    if other is optimize:
        two_files.sync(table, rows, state={"seen": 1})
        assert content(two_files) == wanted
        assert two_files.state(REJECTS) == {"seen": 1}
    else:
        with pytest.raises(FashionrecError, match=r"changed its rows \(WRITE\)"):
            two_files.sync(table, rows, state={"seen": 1})
        assert content(two_files) == OLD | {"1": "other"}
        assert two_files.state(REJECTS) == {}


def test_records_that_are_put_at_once_are_all_kept(store: Store) -> None:
    store.put(REJECTS, reject("0", "old"))
    names = [str(number) for number in range(8)]
    threads = [Thread(target=store.put, args=(REJECTS, reject(n, "new"))) for n in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert content(store) == dict.fromkeys(names, "new")
