"""The step against brute force over products: every other product, by similarity, then id."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import SparkSession

from fashionrec.config import NeighbourSettings
from fashionrec.neighbours.exact import similarities
from fashionrec.neighbours.neighbours import neighbours
from fashionrec.runs import recorded
from fashionrec.store import Store
from fashionrec.tables import EMBEDDINGS, NEIGHBOURS, RUNS

SETTINGS = NeighbourSettings(k=5, tile=16)


def brute_force(rows: list, k: int) -> list[tuple[int, int, int, float]]:
    """Lists of all products, straight from the definition."""
    vectors = {row.product_id: np.asarray(row.embedding, np.float32)[None] for row in rows}
    lists = []
    for product, vector in vectors.items():
        scores = [
            (-float(similarities(vector, other)[0]), i)
            for i, other in vectors.items()
            if i != product
        ]
        for rank, (score, i) in enumerate(sorted(scores)[:k], 1):
            lists.append((product, rank, i, -score))
    return sorted(lists)


def lists_of(store: Store) -> list[tuple[int, int, int, float]]:
    rows = store.read(NEIGHBOURS).where("list = 'similar'").collect()
    return sorted((r.product_id, r.rank, r.neighbour_id, r.similarity) for r in rows)


def put_embeddings(store: Store, spark: SparkSession, vectors: dict[int, tuple[str, list]]) -> None:
    rows = [(i, "m", sha, vector, None, None, None) for i, (sha, vector) in vectors.items()]
    store.sync(EMBEDDINGS, spark.createDataFrame(rows, store.read(EMBEDDINGS).schema))


def search(store: Store, version: str = "m") -> dict[str, int]:
    with recorded(store, "neighbours") as run:
        neighbours(store, version, SETTINGS, run)
    return run.counts


def test_a_night_equals_brute_force(night: Store) -> None:
    rows = night.read(EMBEDDINGS).collect()
    assert len(rows) > 60
    assert lists_of(night) == brute_force(rows, 5)


def test_shared_pictures_and_ties(store: Store, spark: SparkSession) -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(size=(12, 8)).astype(np.float32)
    base /= np.linalg.norm(base, axis=1, keepdims=True)
    vectors = {}
    for i in range(40):  # pictures 0 to 3 are shared by many products
        picture = i % 4 if i < 24 else 4 + i % 8
        vectors[100 - i] = (f"sha{picture}", base[picture].tolist())
    vectors[7] = ("other bytes, same pixels", base[0].tolist())
    put_embeddings(store, spark, vectors)
    counts = search(store)
    assert lists_of(store) == brute_force(store.read(EMBEDDINGS).collect(), 5)
    assert counts["neighbours.distinct_pictures"] == 13


@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_few_products_have_short_lists(store: Store, spark: SparkSession, count: int) -> None:
    vectors = {i: (f"sha{i}", np.eye(4)[i].tolist()) for i in range(count)}
    put_embeddings(store, spark, vectors)
    search(store)
    assert len(lists_of(store)) == count * (count - 1)
    assert lists_of(store) == brute_force(store.read(EMBEDDINGS).collect(), 5)


def test_unchanged_embeddings_are_not_searched_again(night: Store) -> None:
    model = night.read(EMBEDDINGS).first().model_version
    version = night.version(NEIGHBOURS)
    with recorded(night, "neighbours") as run:
        neighbours(night, model, SETTINGS.model_copy(update={"tile": 1024}), run)
    assert run.counts["neighbours.lists_searched"] == 0
    assert night.version(NEIGHBOURS) == version


def test_only_lists_that_differ_are_written(store: Store, spark: SparkSession) -> None:
    vectors = {i: (f"sha{i}", v) for i, v in enumerate(np.eye(8).tolist())}
    put_embeddings(store, spark, vectors)
    search(store)
    near = np.zeros(8)
    near[[0, 1]] = 0.8, 0.6
    put_embeddings(store, spark, vectors | {50: ("new", near.tolist())})
    counts = search(store)
    assert lists_of(store) == brute_force(store.read(EMBEDDINGS).collect(), 5)
    # Product 50's own five; it leads the lists of 0 and 1, moving five rows each; the other six
    # products tie at 0 with everybody, and 50 is the last of them by id.
    assert counts["neighbours.rows_changed"] == 15


def test_old_model_versions_leave_the_table(store: Store, spark: SparkSession) -> None:
    put_embeddings(store, spark, {i: (f"s{i}", np.eye(4)[i].tolist()) for i in range(4)})
    search(store)
    search(store, "another")
    assert lists_of(store) == []


def test_copied_warehouse_is_no_other_warehouse(
    night: Store, spark: SparkSession, tmp_path: Path
) -> None:
    shutil.copytree(night.warehouse, tmp_path / "moved")
    moved = Store(spark, tmp_path / "moved")
    assert moved.state(NEIGHBOURS) == night.state(NEIGHBOURS)
    assert moved.read(RUNS).count() == 1
