"""What petastorm reads of a Delta table: the live rows of one version, whatever else lies there."""

from collections.abc import Iterator
from pathlib import Path

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from fashionrec.errors import FashionrecError
from fashionrec.training.examples import NO_LABEL
from fashionrec.training.reading import Reading
from fashionrec.training.snapshot import Part, live_files, snapshot

CLASSES = {"article_type": ["Shirts", "Ties"], "gender": ["Men", "None"]}


def rows(ids: range, split: str = "train") -> pa.Table:
    count = len(ids)
    return pa.table(
        {
            "product_id": pa.array(ids, pa.int64()),
            "content": [f"{i}".encode() for i in ids],
            "article_type": ["Ties" if i % 2 else "Shirts" for i in ids],
            "gender": pa.array([None if i % 3 else "Men" for i in ids], pa.string()),
            "split": [split] * count,
        }
    )


@pytest.fixture
def table(tmp_path: Path) -> str:
    """Four files of ten rows, each a row group."""
    path = str(tmp_path / "table")
    for start in range(0, 40, 10):
        deltalake.write_deltalake(path, rows(range(start, start + 10)), mode="append")
    return path


def read(part: Part, rank: int = 0, ranks: int = 1, seed: int = 0) -> Iterator[tuple]:
    for example in Reading(CLASSES, rank, ranks).examples(part, seed):
        yield example.product_id, example.content, tuple(example.labels)


def test_after_update_and_delete_exactly_the_live_rows(spark: SparkSession, table: str) -> None:
    spark.sql(f"UPDATE delta.`{table}` SET content = cast('new' AS BINARY) WHERE product_id = 7")
    spark.sql(f"DELETE FROM delta.`{table}` WHERE product_id BETWEEN 15 AND 32")
    live = set(range(40)) - set(range(15, 33))
    files = live_files(table, deltalake.DeltaTable(table).version())
    assert len(files) < len(list(Path(table).glob("*.parquet")))
    part = Part(tuple(files), ())
    wanted = {(i, b"new" if i == 7 else b"%d" % i, (i % 2, NO_LABEL if i % 3 else 0)) for i in live}
    found = list(read(part))
    assert len(found) == len(wanted)
    assert set(found) == wanted


def test_a_pinned_version_stays_as_it_was(table: str) -> None:
    pinned = snapshot(table, 1)
    deltalake.DeltaTable(table).delete("product_id < 100")
    assert sorted(row[0] for row in read(snapshot(table, 1).parts["train"])) == list(range(20))
    assert pinned == snapshot(table, 1)


def test_ranks_read_disjoint_shares_and_together_every_row_once(table: str) -> None:
    part = snapshot(table, 3).parts["train"]
    for epoch in range(2):
        shares = [[row[0] for row in read(part, rank, 2, seed=epoch)] for rank in range(2)]
        assert [len(share) for share in shares] == [20, 20] == [part.of_rank(r, 2) for r in (0, 1)]
        assert sorted(shares[0] + shares[1]) == list(range(40))


def test_the_order_of_row_groups_goes_by_the_seed(table: str) -> None:
    part = snapshot(table, 3).parts["train"]
    orders = {seed: [row[0] for row in read(part, seed=seed)] for seed in range(6)}
    assert orders[1] == [row[0] for row in read(part, seed=1)]
    assert len({tuple(order) for order in orders.values()}) > 1


def test_uneven_row_groups_are_refused(table: str) -> None:
    deltalake.write_deltalake(table, rows(range(40, 43)), mode="append")
    with pytest.raises(FashionrecError, match=r"2 processes would get \[\d+, \d+\] rows of train"):
        snapshot(table, 4).check_even(2)
    with pytest.raises(FashionrecError, match=r"8 processes would get"):
        snapshot(table, 4).check_even(8)


def test_files_that_mix_splits_are_refused(table: str) -> None:
    mixed = pa.concat_tables([rows(range(50, 52)), rows(range(60, 62), "validation")])
    deltalake.write_deltalake(table, mixed, mode="append")
    with pytest.raises(FashionrecError, match=r"mixes rows of \['train', 'validation'\]"):
        snapshot(table, 4)


@pytest.mark.parametrize(
    ("properties", "change", "message"),
    [
        ("'delta.enableDeletionVectors' = 'true'", "DELETE FROM {} WHERE product_id = 3",
         "uses deletion vectors"),
        ("'delta.columnMapping.mode' = 'name'", "ALTER TABLE {} RENAME COLUMN gender TO sex",
         "uses column mapping"),
    ],
)  # fmt: skip
def test_tables_that_files_do_not_tell_are_refused(
    spark: SparkSession, table: str, properties: str, change: str, message: str
) -> None:
    name = f"delta.`{table}`"
    spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ({properties})")
    spark.sql(change.format(name))
    with pytest.raises(FashionrecError, match=message):
        live_files(table, deltalake.DeltaTable(table).version())


def test_paths_with_spaces_are_read(tmp_path: Path) -> None:
    path = str(tmp_path / "a table")
    deltalake.write_deltalake(path, rows(range(3)))
    assert len(list(read(snapshot(path, 0).parts["train"]))) == 3
    assert pq.read_metadata(live_files(path, 0)[0]).num_rows == 3
