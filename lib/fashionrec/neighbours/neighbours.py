"""The step `neighbours`: the lists of every product's most similar products.

What changed since the lists were made is found by comparing keys with the versions of `embeddings`
and `products` that they were made from, and only lists that a change can reach are searched. The
result is the same as if all were. All of it happens where tasks run: the driver hears counts.
"""

import logging
from pathlib import Path
from shutil import rmtree
from uuid import uuid4

from pyspark import SparkFiles
from pyspark.sql import DataFrame

from fashionrec.changes import CHANGE, Written
from fashionrec.neighbours.executors import search_lists
from fashionrec.neighbours.kept import (
    kept_lists,
    read_sample,
    write_changes,
    write_lists,
)
from fashionrec.neighbours.plans import ENTRY, applied
from fashionrec.neighbours.prepare import folder_of
from fashionrec.neighbours.prepared import Summary, Wanted
from fashionrec.neighbours.recall import measure_recall, require_recall
from fashionrec.neighbours.state import State, state_of
from fashionrec.paths import at, remove_folder
from fashionrec.runs import Run
from fashionrec.settings import NeighbourSettings
from fashionrec.store import Store
from fashionrec.tables import NEIGHBOURS

log = logging.getLogger(__name__)

_MEMBER = ["list", "product_id"]


def neighbours(store: Store, model_version: str, settings: NeighbourSettings, run: Run) -> None:
    """Bring `neighbours` up to date with one version of `embeddings`, writing what differs."""
    state, last = state_of(store, model_version, settings), store.state(NEIGHBOURS)
    if last == state:
        log.info("neighbours: embeddings and products are unchanged")
        run.count("neighbours", lists_searched=0, rows_changed=0)
        return
    wanted = _wanted(store, state, last, settings)
    try:
        _search(store, wanted, run)
    finally:
        if at(wanted.inverted).is_dir():
            remove_folder(at(wanted.inverted))
        # In local mode this machine is the node; where a search failed, tasks may be writing still.
        here = folder_of(wanted, Path(SparkFiles.getRootDirectory()))
        rmtree(here, ignore_errors=True)


def _wanted(store: Store, state: State, last: State, settings: NeighbourSettings) -> Wanted:
    cores = store.spark.sparkContext.defaultParallelism
    return Wanted(
        warehouse=store.warehouse,
        state=state,
        last=last,
        kept=kept_lists(store),
        settings=settings,
        name=uuid4().hex,
        cores=int(store.spark.conf.get("spark.executor.cores", str(cores)) or cores),
    )


def _search(store: Store, wanted: Wanted, run: Run) -> None:
    summary, found = search_lists(store.spark, wanted)
    if summary.anew is not None:
        log.info("neighbours: makes all lists anew: %s", summary.anew)
    found = found.persist()
    lists = found.where("purpose = 'list'")
    changes = found.where("purpose = 'change'").select(*ENTRY, CHANGE)
    if summary.pictures > wanted.settings.exact_up_to:
        _check_recall(store, wanted, summary, found, run)
    k, state = wanted.settings.k, wanted.state
    if summary.anew is None:
        written = write_changes(store, wanted.kept, changes, k, state)
    else:
        written = write_lists(store, lists, k, state)
    _count(run, summary, lists, written)
    found.unpersist()


def _check_recall(
    store: Store, wanted: Wanted, summary: Summary, found: DataFrame, run: Run
) -> None:
    """Record the recall of a sample's lists, and refuse them where it is too low."""
    expected = found.where("purpose = 'reference'")
    sampled = found.join(expected.select(*_MEMBER), _MEMBER, "left_semi")
    lists = sampled.where("purpose = 'list'").select(*ENTRY).toArrow()
    if summary.anew is None:
        changes = sampled.where("purpose = 'change'").select(*ENTRY, CHANGE).toArrow()
        lists = applied(read_sample(store, wanted.kept, expected.select(*_MEMBER)), changes)
    recall = measure_recall(lists, expected.toArrow(), wanted.settings.k)
    for name, (members, count) in recall.items():
        run.count(f"neighbours.{name}", sampled=count, recalled=members)
    require_recall(recall, wanted.settings)


def _count(run: Run, summary: Summary, lists: DataFrame, written: Written) -> None:
    run.count(
        "neighbours",
        rebuilt=int(summary.anew is not None),
        lists_searched=summary.searched,
        distinct_pictures=summary.pictures,
        proved_at_once=lists.where("rank = 1 AND proved").count(),
        rows_changed=written.total,
    )
