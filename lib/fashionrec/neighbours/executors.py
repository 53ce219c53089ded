"""Searches in executors: tiles of products, against what each node has made ready."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from functools import cached_property, partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import torch
from pyspark import SparkFiles
from pyspark.sql import DataFrame, SparkSession

from fashionrec.changes import CHANGE
from fashionrec.errors import FashionrecError
from fashionrec.neighbours.cells import Cells, cut
from fashionrec.neighbours.lists import Floats, Ints, Pairs
from fashionrec.neighbours.lowering import keep_few_kernels
from fashionrec.neighbours.plans import ENTRY, as_entries, changed_entries
from fashionrec.neighbours.prepare import prepare
from fashionrec.neighbours.prepared import Prepared, Summary, Wanted
from fashionrec.neighbours.requests import Purpose
from fashionrec.neighbours.ruled import Found, search
from fashionrec.neighbours.rules import no_pairs
from fashionrec.session import in_one_task

# `purpose` is that of a request, or `change`: an entry by which a list now differs.
FOUND = """list STRING, product_id BIGINT, rank INT, neighbour_id BIGINT, similarity FLOAT,
    purpose STRING, proved BOOLEAN, _change STRING"""

# Partitions per core: few enough that each prepares its matrix seldom, enough to share the work.
_PORTIONS = 4


def search_lists(spark: SparkSession, wanted: Wanted) -> tuple[Summary, DataFrame]:
    """Have a node made ready, then search: how much there is, and what is found, as FOUND says."""
    told = in_one_task(spark, lambda: json.dumps(asdict(_Node.of(wanted).ready.summary)))
    summary = Summary(**json.loads(told))
    tasks = sum(summary.tiles) + (summary.anew is None)
    portions = max(1, min(tasks, _PORTIONS * spark.sparkContext.defaultParallelism))
    numbers = spark.range(0, tasks, 1, numPartitions=portions)
    threads = int(spark.conf.get("spark.task.cpus", "1") or 1)
    run = partial(_run, wanted=wanted, summary=summary, threads=threads)
    return summary, numbers.mapInArrow(run, FOUND)


def _run(
    batches: Iterable[pa.RecordBatch], wanted: Wanted, summary: Summary, threads: int
) -> Iterator[pa.RecordBatch]:
    keep_few_kernels()
    torch.set_num_threads(threads)
    if _Node.of(wanted).ready.summary != summary:  # a product might be in no node's tiles
        raise FashionrecError("neighbours: nodes differ in what they made ready: run again")
    for batch in batches:
        for number in batch["id"].to_pylist():
            for found in _Node.of(wanted).run(number):
                yield from found.to_batches()


class _Node:
    """What a worker keeps from one task to the next: one search, and of it one request."""

    _last: ClassVar["_Node | None"] = None

    def __init__(self, wanted: Wanted) -> None:
        self.name = wanted.name
        self.ready = prepare(wanted, Path(SparkFiles.getRootDirectory()))
        self._request: _Request | None = None

    @classmethod
    def of(cls, wanted: Wanted) -> "_Node":
        """Return what this worker has of a search."""
        if cls._last is None or cls._last.name != wanted.name:
            cls._last = None  # before the next is made: both would be in memory
            cls._last = cls(wanted)
        return cls._last

    def run(self, number: int) -> Iterator[pa.Table]:
        """Return what a task finds: that of a tile, or after the last tile, what is gone."""
        counts = self.ready.summary.tiles
        request = int(np.searchsorted(np.cumsum(counts), number, side="right"))
        if request == len(counts):
            return _gone(self.ready)
        return self._at(request).run(number - sum(counts[:request]))

    def _at(self, number: int) -> "_Request":
        if self._request is None or self._request.number != number:
            self._request = None  # likewise
            self._request = _Request(self.ready, number)
        return self._request


def _gone(ready: Prepared) -> Iterator[pa.Table]:
    """Return the entries of products that are gone, as changes."""
    nobody = np.empty(0, np.int64)
    for number in range(len(ready.names)):
        part, entries = ready.part(number).of(nobody), ready.entries_gone(number)
        yield _as_changes(changed_entries(part, ready.catalogue.ids, entries, {}))


class _Request:
    """A request that is searched tile by tile."""

    def __init__(self, ready: Prepared, number: int) -> None:
        self.number, self._ready = number, ready
        self._tiles, self._asked = ready.tiles[number], ready.request(number)
        self._part = ready.part(self._tiles.list)

    def run(self, tile: int) -> Iterator[pa.Table]:
        """Return the entries that are found, and those by which lists differ."""
        place = slice(*self._tiles.starts[tile : tile + 2])
        rows, floors = self._tiles.rows[place], self._tiles.floors[place]
        found, purpose = self._search(rows, floors), self._asked.purpose
        if purpose != "entering":
            yield self._entries(rows, found)
        if self._ready.summary.anew is None and purpose != "reference":
            yield self._changes(np.sort(rows), {purpose: found.pairs})

    def _search(self, rows: Ints, floors: Floats) -> Found:
        if not len(self._asked.among):  # lists that lost a member, and that nothing can enter
            return Found(no_pairs(), rows[:0])
        pictures = self._ready.catalogue.pictures
        lists = self._ready.inverted if self._tiles.inverted else None
        rule, items = self._asked.rule, self._ready.items
        return search(rule, self._cells, pictures, items, rows, floors, lists)

    @cached_property
    def _cells(self) -> Cells:
        asked = self._asked
        return cut(asked.rule, self._ready.catalogue.pictures, asked.among, self._ready.items)

    def _entries(self, rows: Ints, found: Found) -> pa.Table:
        asked, ids = self._asked, self._ready.catalogue.ids
        entries = asked.label(as_entries(asked.list, ids, found.pairs))
        proved = pa.array(~np.isin(found.pairs.rows, rows[found.unproved]))
        nothing = pa.nulls(len(entries), pa.string())
        return entries.append_column("proved", proved).append_column(CHANGE, nothing)

    def _changes(self, rows: Ints, found: Mapping[Purpose, Pairs]) -> pa.Table:
        entries = self._ready.entries_of(self._tiles.list, rows)
        ids = self._ready.catalogue.ids
        return _as_changes(changed_entries(self._part.of(rows), ids, entries, found))


def _as_changes(entries: pa.Table) -> pa.Table:
    count = len(entries)
    purpose, nothing = pa.array(["change"] * count, pa.string()), pa.nulls(count, pa.bool_())
    columns = entries.select(ENTRY).append_column("purpose", purpose)
    return columns.append_column("proved", nothing).append_column(CHANGE, entries[CHANGE])
