"""Searches in executors: tiles of products against a memory map that is shipped once per node."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from pyspark import Broadcast, SparkFiles
from pyspark.sql import DataFrame, SparkSession

from fashionrec.embed.devices import task_device
from fashionrec.neighbours.catalogue import Catalogue
from fashionrec.neighbours.cells import Cells, cut
from fashionrec.neighbours.inverted import InvertedLists
from fashionrec.neighbours.items import Items
from fashionrec.neighbours.lists import Ints
from fashionrec.neighbours.plans import as_entries
from fashionrec.neighbours.requests import Request
from fashionrec.neighbours.ruled import search
from fashionrec.neighbours.shared import shared_items

FOUND = """list STRING, product_id BIGINT, rank INT, neighbour_id BIGINT, similarity FLOAT,
    purpose STRING, proved BOOLEAN"""

# Partitions per core: few enough that each prepares its matrix seldom, enough to share the work.
_PORTIONS = 4


@dataclass(frozen=True)
class _Task:
    request: int
    tile: Ints


@dataclass(frozen=True)
class _Work:
    """What executors need: one per search, and the same for all its tasks; `lists`: the inverted
    lists that each request uses."""

    catalogue: Catalogue
    requests: list[Request]
    lists: list[InvertedLists | None]
    tasks: list[_Task]
    threads: int


def search_lists(
    spark: SparkSession,
    catalogue: Catalogue,
    requests: list[Request],
    tile: int,
    lists: InvertedLists | None,
) -> DataFrame:
    """Search, in tiles of so many products: the lists of all requests, as FOUND says."""
    spark.sparkContext.addFile(str(catalogue.vectors))  # once per node
    used = [request.used(lists, catalogue.pictures) for request in requests]
    tasks = [
        _Task(i, part)
        for i, request in enumerate(requests)
        for part in request.tiles(used[i], catalogue.pictures, tile)
    ]
    threads = int(spark.conf.get("spark.task.cpus", "1") or 1)
    work = spark.sparkContext.broadcast(_Work(catalogue, requests, used, tasks, threads))
    portions = max(1, min(len(tasks), _PORTIONS * spark.sparkContext.defaultParallelism))
    numbers = spark.range(0, len(tasks), 1, numPartitions=portions)
    return numbers.mapInArrow(partial(_run_tasks, shared=work), FOUND)


def _run_tasks(
    batches: Iterable[pa.RecordBatch], shared: Broadcast[_Work]
) -> Iterator[pa.RecordBatch]:
    work = shared.value
    torch.set_num_threads(work.threads)
    for batch in batches:
        for number in batch["id"].to_pylist():
            yield from _run(work, work.tasks[number]).to_batches()


def _run(work: _Work, task: _Task) -> pa.Table:
    request, catalogue = work.requests[task.request], work.catalogue
    items = _items(catalogue.vectors.name)
    cells = _Prepared.cells(work, task.request, items)
    rows, floors = request.rows[task.tile], request.floors[task.tile]
    lists = work.lists[task.request]
    found = search(request.rule, cells, catalogue.pictures, items, rows, floors, lists)
    entries = request.label(as_entries(request.list, catalogue.ids, found.pairs))
    proved = ~np.isin(found.pairs.rows, rows[found.unproved])
    return entries.append_column("proved", pa.array(proved))


class _Prepared:
    """What a python worker keeps from one task to the next: the cells of one request."""

    _of: tuple[str, int] | None = None
    _cells: Cells | None = None

    @classmethod
    def cells(cls, work: _Work, number: int, items: Items) -> Cells:
        request, key = work.requests[number], (work.catalogue.vectors.name, number)
        if cls._of != key or cls._cells is None:
            cls._cells = None  # before the next is made: both would be in memory
            cls._cells = cut(request.rule, work.catalogue.pictures, request.among, items)
            cls._of = key
        return cls._cells


@lru_cache(maxsize=1)  # a worker serves one search after another
def _items(vectors: str) -> Items:
    return shared_items(Path(SparkFiles.get(vectors)), task_device())
