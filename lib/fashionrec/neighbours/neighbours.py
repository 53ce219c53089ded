"""The step `neighbours`: every product's most similar products."""

import atexit
import logging
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import numpy as np
import pyarrow as pa
import torch
from pyspark import SparkFiles
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from fashionrec.config import NeighbourSettings
from fashionrec.neighbours.exact import similarities
from fashionrec.neighbours.items import Items, prepare_items
from fashionrec.neighbours.matrix import Matrix, export_matrix
from fashionrec.neighbours.topk import top_k
from fashionrec.runs import Run
from fashionrec.store import Store
from fashionrec.tables import EMBEDDINGS, NEIGHBOURS

log = logging.getLogger(__name__)

Batches = Iterable[pa.RecordBatch]

SIMILAR = "similar"
_PAIRS = "representative BIGINT, other BIGINT, similarity FLOAT, certified BOOLEAN"
_items: dict[str, Items] = {}  # a python worker serves one task after another


def neighbours(store: Store, model_version: str, settings: NeighbourSettings, run: Run) -> None:
    """Bring `neighbours` up to date with one version of `embeddings`, writing what differs."""
    version = store.version(EMBEDDINGS)
    state = {"embeddings": version, "model_version": model_version, "k": settings.k}
    if store.state(NEIGHBOURS) == state:
        log.info("neighbours: embeddings are unchanged")
        run.count("neighbours", lists_searched=0, rows_changed=0)
        return
    matrix = export_matrix(store, model_version, version, _shipping_folder())
    pairs = _search(store.spark, matrix, settings).persist()
    rows = _lists(store.spark, matrix, pairs, settings.k, model_version)
    written = store.sync(NEIGHBOURS, rows, state=state)
    proved = pairs.where("certified").select("representative").distinct().count()
    pairs.unpersist()
    run.count(
        "neighbours",
        lists_searched=len(matrix.products),
        distinct_pictures=len(np.unique(matrix.representatives)),
        proved_at_once=proved,
        rows_changed=written.total,
    )


def _shipping_folder() -> Path:
    """Return a new folder that lives as long as the session: executors may join at any time."""
    folder = Path(mkdtemp(prefix="fashionrec-"))
    atexit.register(rmtree, folder, ignore_errors=True)
    return folder


def _search(spark: SparkSession, matrix: Matrix, settings: NeighbourSettings) -> DataFrame:
    """Return the k most similar other pictures of each distinct picture, by representative."""
    for file in (matrix.vectors, matrix.ids):
        spark.sparkContext.addFile(str(file))  # once per node
    count = len(np.load(matrix.ids, mmap_mode="r"))
    tiles = max(1, -(-count // settings.tile))
    search = partial(
        _search_tiles,
        names=(matrix.vectors.name, matrix.ids.name),
        tile=settings.tile,
        k=settings.k,
        threads=int(spark.conf.get("spark.task.cpus", "1") or 1),
    )
    starts = spark.range(0, tiles, 1, numPartitions=tiles)
    return starts.mapInArrow(search, _PAIRS)


def _search_tiles(
    batches: Batches, names: tuple[str, str], tile: int, k: int, threads: int
) -> Iterator[pa.RecordBatch]:
    torch.set_num_threads(threads)
    items = _prepared(*names)
    for batch in batches:
        for number in batch["id"].to_pylist():
            part = slice(number * tile, (number + 1) * tile)
            yield _pairs(items, part, k)


def _prepared(vectors: str, ids: str) -> Items:
    if vectors not in _items:
        _items.clear()
        _items[vectors] = prepare_items(
            np.load(SparkFiles.get(vectors), mmap_mode="r"), np.load(SparkFiles.get(ids))
        )
    return _items[vectors]


def _pairs(items: Items, part: slice, k: int) -> pa.RecordBatch:
    """Search for one tile; every picture also pairs with itself, for the products that share it."""
    queries, ids = np.ascontiguousarray(items.vectors[part]), items.ids[part]
    found = top_k(queries, ids, items, k)
    others = np.column_stack([ids, found.ids]).ravel()
    scores = np.column_stack([similarities(queries, queries), found.similarities]).ravel()
    real = others >= 0
    columns = [np.repeat(ids, k + 1), others, scores, np.repeat(found.certified, k + 1)]
    return pa.RecordBatch.from_arrays(
        [pa.array(column[real]) for column in columns],
        names=["representative", "other", "similarity", "certified"],
    )


def _lists(
    spark: SparkSession, matrix: Matrix, pairs: DataFrame, k: int, model_version: str
) -> DataFrame:
    """Expand pictures to products: the table `neighbours`.

    A picture's first k + 1 products by similarity, then id, hold the first k for each of its own
    products, because only that product itself is taken out.
    """
    members = spark.createDataFrame(
        pa.table({"representative": matrix.representatives, "product_id": matrix.products})
    )
    by_id = Window.partitionBy("representative").orderBy("product_id")
    first = members.withColumn("place", F.row_number().over(by_id)).where(F.col("place") <= k + 1)
    candidates = first.selectExpr("representative AS other", "product_id AS neighbour_id")
    order = [F.desc("similarity"), F.asc("neighbour_id")]
    shared = (
        pairs.join(candidates, on="other", how="inner")
        .withColumn("place", _place("representative", order))
        .where(F.col("place") <= k + 1)
    )
    return (
        members.join(shared.drop("place"), on="representative", how="inner")
        .where("neighbour_id <> product_id")
        .withColumn("rank", _place("product_id", order))
        .where(F.col("rank") <= k)
        .withColumns({"list": F.lit(SIMILAR), "model_version": F.lit(model_version)})
        .select(*NEIGHBOURS.names)
    )


def _place(group: str, order: list[Column]) -> Column:
    return F.row_number().over(Window.partitionBy(group).orderBy(*order))
