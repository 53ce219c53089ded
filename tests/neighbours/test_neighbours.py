"""The step against brute force over products: every other product, by similarity, then id."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pyspark import SparkFiles
from pyspark.sql import DataFrame, Row, SparkSession

from fashionrec.config import load
from fashionrec.errors import RefusedError
from fashionrec.maintain import maintain
from fashionrec.neighbours.exact import similarities
from fashionrec.neighbours.neighbours import neighbours
from fashionrec.neighbours.searchable import write_searchable
from fashionrec.read import TableReader
from fashionrec.runs import recorded
from fashionrec.settings import NeighbourSettings
from fashionrec.store import Store
from fashionrec.tables import EMBEDDINGS, NEIGHBOURS, PRODUCTS, RESERVES, RUNS, Table

DEFAULTS = load().neighbours
SETTINGS = DEFAULTS.model_copy(update={"tile": 16, "lists": {"similar": DEFAULTS.lists["similar"]}})


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


def search(
    store: Store, version: str = "m", settings: NeighbourSettings = SETTINGS
) -> dict[str, int]:
    with recorded(store, "neighbours") as run:
        neighbours(store, version, settings, run)
    assert not list(Path(SparkFiles.getRootDirectory()).glob("neighbours-*"))
    return {name.removeprefix("neighbours."): count for name, count in run.counts.items()}


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
    assert counts["distinct_pictures"] == 13


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
        neighbours(night, model, DEFAULTS.model_copy(update={"tile": 7}), run)
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
    assert counts["rows_changed"] == 15


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


def put_products(store: Store, spark: SparkSession, genders: dict[int, str]) -> None:
    names = store.read(PRODUCTS).columns
    rows = [
        {"product_id": i, "gender": gender, "product_display_name": f"name {i % 7}"}
        for i, gender in genders.items()
    ]
    whole = [tuple(row.get(name) for name in names) for row in rows]
    store.sync(PRODUCTS, spark.createDataFrame(whole, store.read(PRODUCTS).schema))


def put_shop(store: Store, spark: SparkSession, changed: bool) -> None:
    """40 products; changed: two are gone, two new, one has another picture, one another gender."""
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(50, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ids = [i for i in range(42) if (i < 40 if not changed else i not in (5, 6))]
    pictures = {i: 45 if changed and i == 7 else i for i in ids}
    put_embeddings(store, spark, {i: (f"s{p}", vectors[p].tolist()) for i, p in pictures.items()})
    genders = {i: "Men" if i % 2 or (changed and i == 8) else "Women" for i in ids}
    put_products(store, spark, genders)


def test_a_change_is_followed_and_equals_a_rebuild(store: Store, spark: SparkSession) -> None:
    put_shop(store, spark, changed=False)
    assert search(store, settings=DEFAULTS)["rebuilt"] == 1
    put_shop(store, spark, changed=True)
    counts = search(store, settings=DEFAULTS)
    assert counts["rebuilt"] == 0
    assert 0 < counts["lists_searched"] < 3 * 40
    assert counts["rows_changed"] > 0
    assert lists_of(store) == brute_force(store.read(EMBEDDINGS).collect(), 5)
    lists = store.read(NEIGHBOURS).groupBy("list").count().collect()
    assert {row["list"] for row in lists} == {"similar", "similar_styles"}
    store.mark(NEIGHBOURS, {})
    counts = search(store, settings=DEFAULTS)
    assert (counts["rebuilt"], counts["rows_changed"]) == (1, 0)


def test_what_no_list_depends_on_only_moves_the_state(store: Store, spark: SparkSession) -> None:
    put_shop(store, spark, changed=False)
    search(store)
    rows = store.read(NEIGHBOURS).collect()
    put_products(store, spark, dict.fromkeys(range(40), "Unisex"))  # `similar` has no rules
    counts = search(store)
    assert (counts["rebuilt"], counts["lists_searched"], counts["rows_changed"]) == (0, 0, 0)
    assert store.state(NEIGHBOURS)["products"] == store.version(PRODUCTS)
    assert sorted(store.read(NEIGHBOURS).collect()) == sorted(rows)


def few(collect: Callable[[DataFrame], list[Row]]) -> Callable[[DataFrame], list[Row]]:
    def collected(frame: DataFrame) -> list[Row]:
        rows = collect(frame)
        assert len(rows) < 20  # there are forty products
        return rows

    return collected


def test_no_row_comes_to_the_driver(
    store: Store, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers are processes of their own, where nothing is patched."""
    good = TableReader.scan

    def scan(store: Store, table: Table, *args: object) -> object:
        assert table is RUNS
        return good(store, table, *args)  # type: ignore[arg-type]

    for changed in (False, True):
        put_shop(store, spark, changed=changed)
        with monkeypatch.context() as patch:
            patch.setattr(TableReader, "scan", scan)
            frame = type(spark.range(1))
            patch.setattr(frame, "collect", few(frame.collect))
            for name in ("toArrow", "toPandas"):
                patch.delattr(frame, name)
            assert search(store, settings=DEFAULTS)["rebuilt"] == int(not changed)
        assert lists_of(store) == brute_force(store.read(EMBEDDINGS).collect(), 5)


INEXACT = SETTINGS.model_copy(update={"exact_up_to": 50, "probes": 4})


def put_many(store: Store, spark: SparkSession, count: int, seed: int = 0) -> None:
    vectors = np.abs(np.random.default_rng(seed).normal(size=(count, 6))).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    put_embeddings(store, spark, {i: (f"s{seed} {i}", v) for i, v in enumerate(vectors.tolist())})


def test_large_catalogues_go_through_inverted_lists(store: Store, spark: SparkSession) -> None:
    put_many(store, spark, 150)
    counts = search(store, settings=INEXACT.model_copy(update={"min_recall": 0.5}))
    exact = brute_force(store.read(EMBEDDINGS).collect(), 5)
    found = set(lists_of(store)) & set(exact)
    members = {(product, other) for product, _, other, _ in lists_of(store)}
    true = {(product, other) for product, _, other, _ in exact}
    assert counts["similar.sampled"] == len(exact) == 750  # the sample is everybody
    assert 375 < counts["similar.recalled"] == len(members & true) < 750
    assert found  # with the same ranks and similarities
    put_many(store, spark, 40)
    assert "similar.sampled" not in search(store, settings=INEXACT)
    assert lists_of(store) == brute_force(store.read(EMBEDDINGS).collect(), 5)


def test_low_recall_is_refused_and_nothing_written(store: Store, spark: SparkSession) -> None:
    put_many(store, spark, 150)
    with pytest.raises(RefusedError, match=r"neighbours.min_recall = 0.99; nothing was written"):
        search(store, settings=INEXACT)
    assert store.read(NEIGHBOURS).isEmpty()
    assert store.state(NEIGHBOURS) == {}
    run = store.read(RUNS).first()
    assert run.status == "refused"
    assert run.counts["neighbours.similar.recalled"] < run.counts["neighbours.similar.sampled"]
    search(store, settings=INEXACT.model_copy(update={"probes": 12}))  # as many as there are lists
    assert lists_of(store) == brute_force(store.read(EMBEDDINGS).collect(), 5)


def test_recall_of_lists_that_were_kept(store: Store, spark: SparkSession) -> None:
    put_many(store, spark, 150)
    search(store, settings=INEXACT.model_copy(update={"min_recall": 0.5}))
    first = store.state(NEIGHBOURS)
    put_many(store, spark, 149)
    with pytest.raises(RefusedError, match="recall"):
        search(store, settings=INEXACT)
    assert store.state(NEIGHBOURS) == first


def test_a_lost_member_is_replaced_from_the_reserve(store: Store, spark: SparkSession) -> None:
    put_many(store, spark, 60)
    search(store)
    assert store.read(RESERVES).count() == 60 * DEFAULTS.reserve
    put_many(store, spark, 59)
    counts = search(store)
    assert (counts["rebuilt"], counts["lists_searched"]) == (0, 0)
    assert lists_of(store) == brute_force(store.read(EMBEDDINGS).collect(), 5)
    assert store.state(RESERVES) == store.state(NEIGHBOURS)


def test_lists_are_continued_after_their_files_were_joined(
    store: Store, spark: SparkSession
) -> None:
    put_shop(store, spark, changed=False)
    search(store)
    for table in (NEIGHBOURS, RESERVES):
        assert store.compact(table, load().maintain) > 1
        assert store.vacuum(table, 0, keep=()) > 1
    put_shop(store, spark, changed=True)
    assert search(store)["rebuilt"] == 0
    assert lists_of(store) == brute_force(store.read(EMBEDDINGS).collect(), 5)


def test_lists_are_made_from_what_upkeep_left(store: Store, spark: SparkSession) -> None:
    at_once = load().maintain.model_copy(update={"keep_hours": 0})
    for changed in (False, True):
        put_shop(store, spark, changed)
        written = store.files(EMBEDDINGS)
        with recorded(store, "maintain") as run:
            maintain(store, at_once, run)
        assert changed or not any(Path(file).exists() for file in written)  # later it is one file
        write_searchable(store, "m")
        assert search(store)["rebuilt"] == (not changed)
        assert lists_of(store) == brute_force(store.read(EMBEDDINGS).collect(), 5)


def test_a_lost_reserve_costs_time_only(store: Store, spark: SparkSession) -> None:
    """As where a run was killed after `neighbours` was written."""
    put_many(store, spark, 60)
    search(store)
    store.mark(RESERVES, {})
    put_many(store, spark, 59)
    counts = search(store)
    assert counts["rebuilt"] == 0
    assert counts["lists_searched"] > 0
    assert lists_of(store) == brute_force(store.read(EMBEDDINGS).collect(), 5)
    assert store.read(RESERVES).count() == DEFAULTS.reserve * counts["lists_searched"]
    assert store.state(RESERVES) == store.state(NEIGHBOURS)


def test_what_cannot_be_continued_from_is_made_anew(
    store: Store, spark: SparkSession, caplog: pytest.LogCaptureFixture
) -> None:
    put_shop(store, spark, changed=False)
    search(store)
    caplog.set_level("INFO", "fashionrec")
    logging.getLogger("fashionrec").propagate = True
    for lost, message in [
        ({"embeddings": 99}, "can no longer be read"),
        ({"tables": ["another", "one"]}, "tables changed"),
        ({"k": 4}, "k changed"),
    ]:
        store.mark(NEIGHBOURS, store.state(NEIGHBOURS) | lost)
        caplog.clear()
        counts = search(store)
        assert (counts["rebuilt"], counts["rows_changed"]) == (1, 0)
        assert message in caplog.text
    counts = search(store, settings=SETTINGS.model_copy(update={"k": 4}))
    assert (counts["rebuilt"], counts["rows_changed"]) == (1, 40)
