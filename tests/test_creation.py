"""Tables as they are made, as older and newer versions made them, and as others write to them."""

from pathlib import Path

import deltalake
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from fashionrec import creation
from fashionrec.errors import FashionrecError
from fashionrec.read import TableReader
from fashionrec.store import Store
from fashionrec.tables import RECOMMENDATIONS, RUNS

GOOD = dict.fromkeys(RECOMMENDATIONS.names) | {
    "list": "similar",
    "product_id": 1,
    "rank": 1,
    "neighbour_id": 2,
    "similarity": 1.0,
}
BAD = [
    ("rank", 0),
    ("rank", None),
    ("list", None),
    ("product_id", None),
    ("neighbour_id", 1),
    ("neighbour_id", None),
    ("similarity", 1.01),
    ("similarity", float("nan")),
    ("similarity", None),
]


def write_by_delta_rs(store: Store, row: dict[str, object]) -> None:
    # The fields may be null here: the table has to refuse what Arrow does not.
    schema = pa.schema([field.with_nullable(True) for field in store.arrow_schema(RECOMMENDATIONS)])
    rows = pa.Table.from_pylist([row], schema)
    deltalake.write_deltalake(store.path(RECOMMENDATIONS), rows, mode="append")


def write_by_spark(store: Store, row: dict[str, object]) -> None:
    kinds = ", ".join(f"{column.name} {column.type}" for column in RECOMMENDATIONS.columns)
    rows = store.spark.createDataFrame([tuple(row.values())], kinds)
    rows.write.format("delta").mode("append").save(store.path(RECOMMENDATIONS))


@pytest.mark.parametrize("write", [write_by_delta_rs, write_by_spark])
def test_a_row_against_the_contract_is_refused_whoever_writes(store: Store, write) -> None:
    for column, value in BAD:
        with pytest.raises(
            Exception, match=r"(?i)constraint|validation check|declared as non-null"
        ):
            write(store, GOOD | {column: value})
    assert store.count(RECOMMENDATIONS) == 0
    write(store, GOOD)
    table = deltalake.DeltaTable(store.path(RECOMMENDATIONS))
    assert table.to_pandas()["neighbour_id"].tolist() == [2]
    assert (table.protocol().min_reader_version, table.protocol().min_writer_version) == (1, 4)


def old_table(store: Store) -> str:
    """A table as it was made before there were checks and a schema version."""
    Path(store.warehouse).mkdir(exist_ok=True)
    creation.create(store.path(RECOMMENDATIONS), RECOMMENDATIONS)
    return store.path(RECOMMENDATIONS)


def test_an_older_table_is_brought_up_to_date_once(spark: SparkSession, tmp_path: Path) -> None:
    store = Store(spark, tmp_path / "warehouse")
    path = old_table(store)
    write_by_delta_rs(store, GOOD)
    assert store.version(RECOMMENDATIONS) == 1
    store.create_missing()
    table = deltalake.DeltaTable(path)
    properties = table.metadata().configuration
    assert properties["fashionrec.schemaVersion"] == "1"
    assert properties["delta.constraints.rank_from_1"] == "rank >= 1"
    store.create_missing()
    assert deltalake.DeltaTable(path).version() == table.version()
    assert store.version(RECOMMENDATIONS) == 1
    assert store.count(RECOMMENDATIONS) == 1


def test_an_older_table_with_rows_against_the_contract(spark: SparkSession, tmp_path: Path) -> None:
    store = Store(spark, tmp_path / "warehouse")
    old_table(store)
    write_by_delta_rs(store, GOOD | {"rank": 0})
    with pytest.raises(FashionrecError, match="remove this folder and run nightly") as refused:
        store.create_missing()
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("version", ["2", "next"])
def test_a_newer_table_is_refused_by_writers_and_readers(store: Store, version: str) -> None:
    table = deltalake.DeltaTable(store.path(RUNS))
    newer = {"fashionrec.schemaVersion": version}
    table.alter.set_table_properties(newer, raise_if_not_exists=False)
    told = f"runs: has table schema {version}, this version of fashionrec knows up to 1: run the"
    with pytest.raises(FashionrecError, match=told):
        store.create_missing()
    with pytest.raises(FashionrecError, match=told):
        store.read(RUNS)
    with pytest.raises(FashionrecError, match=told):
        TableReader(store.warehouse).scan(RUNS, ["run_id"])


def test_a_foreign_folder_is_refused_and_left_alone(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "products").mkdir()
    (tmp_path / "products" / "letter.txt").write_text("mine")
    with pytest.raises(FashionrecError, match="products: is not a Delta table"):
        Store(spark, tmp_path).create_missing()
    assert [p.name for p in tmp_path.rglob("*")] == ["products", "letter.txt"]


def test_a_table_of_other_columns_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    spark.range(1).write.format("delta").save(str(tmp_path / "products"))
    with pytest.raises(FashionrecError, match=r"has the columns \['id'\]"):
        Store(spark, tmp_path).create_missing()
