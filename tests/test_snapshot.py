"""The tables at one moment, read without Spark: now, or as a run left them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import deltalake
import polars
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyspark.sql import SparkSession

from fashionrec import read
from fashionrec.config import load
from fashionrec.errors import FashionrecError
from fashionrec.history import same_rows
from fashionrec.opening import dataset_of
from fashionrec.runs import recorded
from fashionrec.tables import EMBEDDINGS, PRODUCTS, RECOMMENDATIONS, Table
from fashionrec.write import TableWriter


def write(store: TableWriter, table: Table, *rows: dict[str, Any]) -> None:
    schema = store.arrow_schema(table)
    data = pa.Table.from_pylist([dict.fromkeys(table.names) | row for row in rows], schema)
    deltalake.write_deltalake(store.path(table), data, mode="overwrite")


def neighbours(product_id: int, *ids: int) -> list[dict[str, Any]]:
    key = {"list": "similar", "product_id": product_id, "similarity": 0.5}
    return [{**key, "rank": rank, "neighbour_id": id} for rank, id in enumerate(ids, start=1)]


@pytest.fixture
def nights(spark: SparkSession, tmp_path: Path) -> TableWriter:
    """Four nights: one that publishes, a quiet one, one that publishes again, and upkeep."""
    store = TableWriter(tmp_path / "warehouse")
    with recorded(store, "nightly", "first"):
        write(store, PRODUCTS, *({"product_id": id, "gender": "Men"} for id in (1, 2, 3)))
        write(store, RECOMMENDATIONS, *neighbours(1, 2, 3))
    with recorded(store, "nightly", "quiet"):
        pass
    with recorded(store, "nightly", "second"):
        write(store, RECOMMENDATIONS, *neighbours(1, 3), *neighbours(2, 3))
    return store


def listed(snapshot: read.Snapshot) -> set[tuple[int, ...]]:
    rows = snapshot.recommendations().to_pylist()
    return {(row["product_id"], row["rank"], row["neighbour_id"]) for row in rows}


FIRST, SECOND = {(1, 1, 2), (1, 2, 3)}, {(1, 1, 3), (2, 1, 3)}


def test_a_run_stands_for_the_versions_that_were_current_at_its_end(nights: TableWriter) -> None:
    now = read.warehouse(nights.warehouse)
    assert listed(now) == SECOND
    for run_id, rows in (("first", FIRST), ("quiet", FIRST), ("second", SECOND)):
        then = now.as_of(run_id)
        assert listed(then) == rows
        ids = "SELECT product_id, rank, neighbour_id FROM recommendations"
        assert set(then.connect().execute(ids).fetchall()) == rows
        assert then.products()["product_id"].to_pylist() == [1, 2, 3]
    assert now.recommendations(2)["neighbour_id"].to_pylist() == [3]
    assert len(polars.DataFrame(now.recommendations(1, 2))) == 2


def test_later_nights_do_not_change_it(nights: TableWriter) -> None:
    snapshot = read.warehouse(nights.warehouse)
    connection = snapshot.connect()
    write(nights, RECOMMENDATIONS, *neighbours(3, 1))
    assert listed(snapshot) == SECOND
    assert connection.execute("SELECT max(product_id) FROM recommendations").fetchone() == (2,)
    assert listed(read.warehouse(nights.warehouse)) == {(3, 1, 1)}


def test_upkeep_keeps_a_night_readable_and_vacuum_ends_it_in_one_line(nights: TableWriter) -> None:
    write(nights, PRODUCTS, {"product_id": 4})
    deltalake.write_deltalake(
        nights.path(PRODUCTS),
        nights.scan(PRODUCTS, PRODUCTS.names).to_table(),
        mode="append",
    )
    with recorded(nights, "nightly", "third"):
        pass
    nights.compact(PRODUCTS, load().maintain)
    nights.vacuum(PRODUCTS, 0, [])
    snapshot = read.warehouse(nights.warehouse)
    # Its files are gone, and those that replaced them hold the same rows.
    assert snapshot.as_of("third").products()["product_id"].to_pylist() == [4, 4]
    gone = r"products: version 2, which run second left, can no longer be read: its files have been"
    with pytest.raises(FashionrecError, match=gone):
        snapshot.as_of("second").products()
    connection = snapshot.as_of("second").connect()
    with pytest.raises(Exception, match=gone):
        connection.execute("SELECT count(*) FROM products").fetchall()
    assert len(connection.execute("FROM recommendations").fetchall()) == 2


def test_what_the_log_has_forgotten_may_have_changed_rows() -> None:
    operations = {5: "WRITE", 6: "OPTIMIZE", 7: "VACUUM END", 9: "OPTIMIZE"}
    history = [{"version": v, "operation": operations[v]} for v in sorted(operations, reverse=True)]
    assert same_rows(SimpleNamespace(history=lambda: history), 5) == 7


def test_a_folders_name_may_hold_what_patterns_and_urls_do(
    nights: TableWriter, tmp_path: Path
) -> None:
    folder = Path(nights.warehouse).rename(tmp_path / "it's [a] *100%* warehouse?")
    snapshot = read.warehouse(folder)
    assert listed(snapshot) == SECOND
    assert len(snapshot.connect().execute("FROM recommendations").fetchall()) == 2


def test_every_table_has_its_columns_types_and_comments(nights: TableWriter) -> None:
    connection = read.warehouse(nights.warehouse).connect()
    for table in (PRODUCTS, EMBEDDINGS):  # the second has no file
        columns = connection.execute(
            "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = ?", [table.name]
        ).fetchall()
        assert columns == [(column.name, column.comment) for column in table.columns]
    types = dict(row[:2] for row in connection.execute("DESCRIBE predictions").fetchall())
    assert types["predicted_probability"] == "FLOAT"
    assert "embedding" not in types
    assert connection.execute("FROM predictions").fetchall() == []
    started = connection.execute("SELECT min(started_at) FROM runs").fetchone()
    assert started is not None
    assert started[0].tzinfo is not None


def test_what_there_is_not_is_one_line(nights: TableWriter, tmp_path: Path) -> None:
    snapshot = read.warehouse(nights.warehouse)
    with pytest.raises(FashionrecError, match="nobody: there is no such run; the last ones: first"):
        snapshot.as_of("nobody")
    with pytest.raises(FashionrecError, match="nowhere: does not exist: run nightly first"):
        read.warehouse(tmp_path / "nowhere")
    with (
        recorded(nights, "nightly", "now"),
        pytest.raises(FashionrecError, match="now: is running, so what it left is not recorded"),
    ):
        snapshot.as_of("now")


def test_a_look_up_opens_the_files_that_may_hold_the_product(
    spark: SparkSession, tmp_path: Path
) -> None:
    path = str(tmp_path / "files")
    kinds = pa.schema({"product_id": pa.int64(), "path": pa.string()})
    for ids in ([1, 5], [6, 9], [None, 20], [None]):
        rows = pa.Table.from_pylist([{"product_id": id, "path": str(id)} for id in ids], kinds)
        deltalake.write_deltalake(path, rows, mode="append")
    dataset, id = dataset_of(path), pc.field("product_id")
    for wanted, opened in ((id == 5, 2), (id > 5, 2), (id == 10, 1), (id.is_null(), 2)):
        assert len(list(dataset.get_fragments(wanted))) == opened
        found = dataset.to_table(filter=wanted)["path"].to_pylist()
        assert found == dataset.to_table().filter(wanted)["path"].to_pylist()
