"""What workers write is what readers find, once it is committed."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from fakes import FakeProgram
from greys import pictures
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fashionrec.embed.frames import send
from fashionrec.embed.writing import Target, Written, written
from fashionrec.store import Store
from fashionrec.tables import EMBEDDINGS

STATE = {"model_version": "v1", "engines": ["fake"]}


def write(store: Store, rows: DataFrame, threshold: float | None = None) -> Written:
    sent = send(store.spark.sparkContext, FakeProgram("identity"))
    schema = store.arrow_schema(EMBEDDINGS)
    return written(rows, sent, Target(store.path(EMBEDDINGS), schema, "v1", threshold))


def added(store: Store, rows: DataFrame, threshold: float | None = None) -> Written:
    done = write(store, rows, threshold)
    store.add_files(EMBEDDINGS, done.files, STATE)
    return done


def row(i: int) -> tuple[object, ...]:
    return (i, "v1", f"sha {i}", [float(i)], f"grey {i}", 0.5, True)


def found(store: Store) -> list[tuple[object, ...]]:
    return sorted(tuple(row) for row in store.read(EMBEDDINGS).collect())


def test_every_reader_finds_the_rows(store: Store) -> None:
    done = added(store, pictures(store.spark, partitions=3, corrupt=13), threshold=0.5)
    expected = [row(i) for i in range(20) if i != 13]
    assert found(store) == expected
    rows = store.scan(EMBEDDINGS, EMBEDDINGS.names).to_table().to_pylist()
    assert sorted(tuple(row.values()) for row in rows) == expected
    assert len(done.files) == 3
    assert done.failed == 1
    assert str(done.problem).startswith("cannot be decoded: cannot identify image file")


def test_the_commit_tells_its_state_and_feeds_changes(store: Store) -> None:
    version = store.version(EMBEDDINGS)
    added(store, pictures(store.spark, partitions=3))
    assert store.version(EMBEDDINGS) > version
    assert store.state(EMBEDDINGS) == STATE
    feed = store.spark.read.option("readChangeFeed", "true").option(
        "startingVersion", store.version(EMBEDDINGS)
    )
    kinds = feed.format("delta").load(store.path(EMBEDDINGS)).groupBy("_change_type").count()
    assert [tuple(row) for row in kinds.collect()] == [("insert", 20)]


def test_a_product_is_looked_up_in_its_file_alone(store: Store) -> None:
    added(store, pictures(store.spark, partitions=4))
    one = store.read(EMBEDDINGS).where("product_id = 7")
    assert (one.count(), len(one.inputFiles())) == (1, 1)
    assert len(store.read(EMBEDDINGS).where("model_version = 'v2'").inputFiles()) == 0


def test_files_have_the_schema_of_the_table(store: Store) -> None:
    (file,) = added(store, pictures(store.spark)).files
    schema = pq.read_schema(Path(store.path(EMBEDDINGS)) / file.path)
    assert schema.equals(store.arrow_schema(EMBEDDINGS))


@pytest.mark.parametrize(("threshold", "accepted"), [(0.4, True), (0.6, False), (None, None)])
def test_the_threshold_decides(
    store: Store, threshold: float | None, accepted: bool | None
) -> None:
    added(store, pictures(store.spark), threshold)
    values = {row.predicted_accepted for row in store.read(EMBEDDINGS).collect()}
    assert values == {accepted}


def test_nothing_but_failures_makes_no_commit(store: Store) -> None:
    version = store.version(EMBEDDINGS)
    only = pictures(store.spark, corrupt=13).where("product_id = 13")
    done = added(store, only)
    assert (done.files, done.failed) == ([], 1)
    assert store.version(EMBEDDINGS) == version


def test_files_without_a_commit_are_no_rows(store: Store) -> None:
    rows = pictures(store.spark, partitions=8)
    dies = F.when(rows.product_id == 19, F.raise_error(F.lit("died"))).otherwise(rows.content)
    with pytest.raises(PySparkException, match="died"):
        write(store, rows.withColumn("content", dies.cast("binary")))
    assert list(Path(store.path(EMBEDDINGS)).glob("part-*"))
    assert found(store) == []
    added(store, rows, threshold=0.5)
    assert found(store) == [row(i) for i in range(20)]
