from dataclasses import replace

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from fashionrec.changes import Written
from fashionrec.store import Store
from fashionrec.tables import FILES, NEIGHBOURS, RECOMMENDATIONS, REJECTS

COLUMNS = "run_id STRING, source STRING, position STRING, raw STRING, reason STRING"


def reject(spark: SparkSession, *rows: tuple[str | None, ...]):
    return spark.createDataFrame(list(rows), COLUMNS)


def content(store: Store) -> list[tuple]:
    return sorted(tuple(row) for row in store.read(REJECTS).collect())


def test_sync_writes_only_what_differs(store: Store, spark: SparkSession) -> None:
    first = reject(spark, ("r1", "s", "1", "a", "x"), ("r1", "s", "2", "b", "x"))
    assert store.sync(REJECTS, first, ignore=["run_id"]) == Written(inserted=2)
    second = reject(spark, ("r2", "s", "1", "a", "x"), ("r2", "s", "3", None, "z"))
    assert store.sync(REJECTS, second, ignore=["run_id"]) == Written(inserted=1, deleted=1)
    assert content(store) == [("r1", "s", "1", "a", "x"), ("r2", "s", "3", None, "z")]
    third = reject(spark, ("r3", "s", "1", "A", "x"), ("r3", "s", "3", None, "z"))
    assert store.sync(REJECTS, third, ignore=["run_id"]) == Written(updated=1)
    assert content(store) == [("r2", "s", "3", None, "z"), ("r3", "s", "1", "A", "x")]


def test_few_changes_of_a_table_of_many_files_are_merged(
    store: Store, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = replace(REJECTS, internal=True, rows_per_file=100_000)
    rows = spark.range(1, 251).selectExpr(
        "'r' AS run_id", "'s' AS source", "string(id) AS position", "'a' AS raw", "'x' AS reason"
    )
    store.sync(small, rows)
    monkeypatch.setattr(store, "count", lambda _: 100_001)
    changed = rows.where("position > '1'").withColumn("raw", F.expr("if(position = '2', 'b', raw)"))
    operations = []
    for _ in range(2):
        store.sync(small, changed)
        operations.append(DeltaTable(store.path(small)).history(1)[0]["operation"])
        assert sorted(map(tuple, changed.collect())) == content(store)
        changed = rows  # back again, but by the other way
        monkeypatch.setattr(store, "count", lambda _: 199)
    assert operations == ["MERGE", "WRITE"]


def test_sync_of_the_same_rows_adds_no_version(store: Store, spark: SparkSession) -> None:
    rows = reject(spark, ("r1", "s", "1", None, "x"))
    store.sync(REJECTS, rows)
    version = store.version(REJECTS)
    assert store.sync(REJECTS, rows) == Written()
    assert store.version(REJECTS) == version


def test_sync_to_nothing_empties_the_table(store: Store, spark: SparkSession) -> None:
    store.sync(REJECTS, reject(spark, ("r1", "s", "1", None, "x")))
    assert store.sync(REJECTS, reject(spark)) == Written(deleted=1)
    assert content(store) == []
    assert store.sync(REJECTS, reject(spark, ("r2", "s", "1", None, "y"))) == Written(inserted=1)


def test_maps_are_compared_whatever_their_order(store: Store, spark: SparkSession) -> None:
    schema: StructType = store.read(FILES).schema

    def rows(facts: dict[str, str]):
        row = ("a", "image", 1, 2, None, "c", "h", None, facts)
        return spark.createDataFrame([row], schema)

    assert store.sync(FILES, rows({"w": "1", "h": "2"})).inserted == 1
    assert store.sync(FILES, rows({"h": "2", "w": "1"})) == Written()
    assert store.sync(FILES, rows({"h": "2", "w": "3"})) == Written(updated=1)


def test_wrong_columns_and_types_are_named(store: Store, spark: SparkSession) -> None:
    with pytest.raises(TypeError, match=r"rejects needs .*reason.* have"):
        store.append(REJECTS, spark.createDataFrame([("r",)], "run_id STRING"))
    wrong = spark.createDataFrame([("l", 1, 1, 2, 0.5, "m")], "list STRING, product_id BIGINT, "
        "rank INT, neighbour_id BIGINT, similarity DOUBLE, model_version STRING")  # fmt: skip
    with pytest.raises(TypeError, match=r"'similarity': 'float'.*'similarity': 'double'"):
        store.sync(NEIGHBOURS, wrong)


def test_state_is_that_of_the_last_change(store: Store, spark: SparkSession) -> None:
    assert store.state(REJECTS) == {}
    rows = reject(spark, ("r", "s", "1", None, "x"))
    store.sync(REJECTS, rows, state={"seen": 3})
    spark.sql(f"OPTIMIZE delta.`{store.path(REJECTS)}`")
    assert store.state(REJECTS) == {"seen": 3}
    version = store.version(REJECTS)
    store.sync(REJECTS, rows, state={"seen": 3})
    assert store.version(REJECTS) == version
    store.sync(REJECTS, rows, state={"seen": 4})
    assert (store.state(REJECTS), store.version(REJECTS)) == ({"seen": 4}, version + 1)
    assert content(store) == [("r", "s", "1", None, "x")]
    store.remove(REJECTS, rows.select("source", "position"))
    assert store.state(REJECTS) == {}


def test_put_adds_then_replaces(store: Store, spark: SparkSession) -> None:
    row = {"run_id": "r", "source": "s", "position": "it's 1", "raw": None}
    for reason in ("x", "y"):
        store.put(REJECTS, row | {"reason": reason})
    store.put(REJECTS, row | {"position": "2", "reason": "z"})
    assert content(store) == [("r", "s", "2", None, "z"), ("r", "s", "it's 1", None, "y")]


def test_remove_takes_the_keys_and_nothing_else(store: Store, spark: SparkSession) -> None:
    store.append(REJECTS, reject(spark, ("r", "s", "1", None, "x"), ("r", "s", "2", None, "x")))
    assert (
        store.remove(REJECTS, spark.createDataFrame([("s", "1")], "source STRING, position STRING"))
        == 1
    )
    assert content(store) == [("r", "s", "2", None, "x")]
    version = store.version(REJECTS)
    assert (
        store.remove(REJECTS, store.read(REJECTS).where("false").select("source", "position")) == 0
    )
    assert store.version(REJECTS) == version


def test_tables_carry_comments_and_can_be_read_by_any_reader(
    store: Store, spark: SparkSession
) -> None:
    fields = {f.name: f for f in store.read(RECOMMENDATIONS).schema.fields}
    assert fields["similarity"].metadata["comment"].startswith("cosine")
    detail = spark.sql(f"DESCRIBE DETAIL delta.`{store.path(RECOMMENDATIONS)}`").first()
    assert detail.minReaderVersion == 1
    assert detail.properties["delta.enableDeletionVectors"] == "false"


def test_a_key_is_never_null_whoever_writes(store: Store, spark: SparkSession) -> None:
    rows = reject(spark, ("r", None, "1", "a", "x"))
    with pytest.raises(Exception, match="NOT NULL constraint violated for column: source"):
        rows.write.format("delta").mode("append").save(store.path(REJECTS))
    assert content(store) == []
