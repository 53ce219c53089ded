"""The step `neighbours`: the lists of every product's most similar products.

What changed since the lists were made is found by comparing keys with the versions of `embeddings`
and `products` that they were made from, and only lists that a change can reach are searched. The
result is the same as if all were.
"""

import atexit
import logging
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame

from fashionrec.changes import Written
from fashionrec.neighbours.catalogue import export_catalogue
from fashionrec.neighbours.executors import FOUND, search_lists
from fashionrec.neighbours.inverted import train_lists
from fashionrec.neighbours.kept import read_lists, write_changes, write_lists
from fashionrec.neighbours.plans import (
    ListPlan,
    applied,
    changed_entries,
    plan_lists,
)
from fashionrec.neighbours.recall import measure_recall, references, require_recall
from fashionrec.neighbours.state import State, is_large, read_before, read_products, state_of
from fashionrec.runs import Run
from fashionrec.settings import NeighbourSettings
from fashionrec.store import Store
from fashionrec.tables import NEIGHBOURS

log = logging.getLogger(__name__)


def neighbours(store: Store, model_version: str, settings: NeighbourSettings, run: Run) -> None:
    """Bring `neighbours` up to date with one version of `embeddings`, writing what differs."""
    state, last = state_of(store, model_version, settings), store.state(NEIGHBOURS)
    if last == state:
        log.info("neighbours: embeddings and products are unchanged")
        run.count("neighbours", lists_searched=0, rows_changed=0)
        return
    keys = read_products(store, state, settings)
    before = read_before(store, last, state, keys, settings)
    entries = read_lists(store)
    plans = plan_lists(settings, keys, before, entries)
    found = _search(store, state, keys, plans, settings).persist()
    if before is None:
        lists = found.where("purpose = 'list'")
        _check_recall(run, settings, found, lists)
        written = write_lists(store, lists, settings.k, state)
    else:
        changes = _changes(plans, keys, entries, found)
        _check_recall(run, settings, found, applied(entries, changes))
        written = write_changes(store, entries, changes, settings.k, state)
    _count(run, plans, keys, found, written, rebuilt=before is None)
    found.unpersist()


def _search(
    store: Store,
    state: State,
    keys: pa.Table,
    plans: list[ListPlan],
    settings: NeighbourSettings,
) -> DataFrame:
    requests = [request for part in plans for request in part.requests(len(keys))]
    large = is_large(keys, settings)
    if not requests and not large:
        return store.spark.createDataFrame([], FOUND)
    catalogue = export_catalogue(
        store, state["model_version"], state["embeddings"], keys, _shipping_folder()
    )
    lists = None
    if large:  # measured even where nothing is searched
        vectors = np.load(catalogue.vectors, mmap_mode="r")
        lists = train_lists(vectors, settings.probes, settings.exact_up_to)
        requests += references(plans, lists, catalogue.pictures, seed=state["embeddings"])
    return search_lists(store.spark, catalogue, requests, settings.tile, lists)


def _shipping_folder() -> Path:
    """Return a new folder that lives as long as the session: executors may join at any time."""
    folder = Path(mkdtemp(prefix="fashionrec-"))
    atexit.register(rmtree, folder, ignore_errors=True)
    return folder


def _check_recall(
    run: Run, settings: NeighbourSettings, found: DataFrame, lists: DataFrame | pa.Table
) -> None:
    """Record the recall of the lists, and refuse it where it is too low."""
    wanted = found.where("purpose = 'reference'")
    reference = wanted.toArrow()
    if isinstance(lists, DataFrame):  # of which the sample's are few
        lists = lists.join(wanted, ["list", "product_id"], "left_semi").toArrow()
    recall = measure_recall(lists, reference, settings.k)
    for name, (members, expected) in recall.items():
        run.count(f"neighbours.{name}", sampled=expected, recalled=members)
    require_recall(recall, settings)


def _changes(
    plans: list[ListPlan], keys: pa.Table, entries: pa.Table, found: DataFrame
) -> pa.Table:
    """Return the entries by which the lists now differ."""
    searched = found.where("purpose <> 'reference'").drop("proved").toArrow()
    return changed_entries(plans, keys["product_id"].to_numpy(), entries, searched)


def _count(
    run: Run,
    plans: list[ListPlan],
    keys: pa.Table,
    found: DataFrame,
    written: Written,
    *,
    rebuilt: bool,
) -> None:
    searched = found.where("purpose = 'list' AND rank = 1")
    run.count(
        "neighbours",
        rebuilt=int(rebuilt),
        lists_searched=sum(len(part.plan.search) for part in plans),
        distinct_pictures=len(pc.unique(keys["image_sha256"])),
        proved_at_once=searched.where("proved").count(),
        rows_changed=written.total,
    )
