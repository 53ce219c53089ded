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
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fashionrec.changes import CHANGE, Written
from fashionrec.config import NeighbourSettings
from fashionrec.neighbours.catalogue import Versions, export_catalogue, read_keys
from fashionrec.neighbours.executors import FOUND, search_lists
from fashionrec.neighbours.plans import (
    ENTRY,
    ListPlan,
    changed_entries,
    columns_needed,
    enabled_lists,
    plan_lists,
)
from fashionrec.runs import Run
from fashionrec.store import Store
from fashionrec.tables import EMBEDDINGS, NEIGHBOURS, PRODUCTS

log = logging.getLogger(__name__)

State = dict[str, Any]


def neighbours(store: Store, model_version: str, settings: NeighbourSettings, run: Run) -> None:
    """Bring `neighbours` up to date with one version of `embeddings`, writing what differs."""
    state, last = _state(store, model_version, settings), store.state(NEIGHBOURS)
    if last == state:
        log.info("neighbours: embeddings and products are unchanged")
        run.count("neighbours", lists_searched=0, rows_changed=0)
        return
    keys = _keys(store, state, settings)
    before = _keys(store, last, settings) if _continues(last, state) else None
    if before is None:
        log.info("neighbours: makes all lists anew")
    entries = store.scan(NEIGHBOURS, ENTRY).to_table()
    plans = plan_lists(settings, keys, before, entries)
    found = _search(store, state, keys, plans, settings.tile).persist()
    if before is None:
        written = store.sync(NEIGHBOURS, _rows(found, model_version), state=state)
    else:
        written = _update(store, plans, keys, entries, found, state)
    _count(run, plans, keys, found, written, rebuilt=before is None)
    found.unpersist()


def _state(store: Store, model_version: str, settings: NeighbourSettings) -> State:
    """Return all that lists depend on."""
    lists = {name: rules.model_dump() for name, rules in enabled_lists(settings).items()}
    return {
        "model_version": model_version,
        "k": settings.k,
        "lists": lists,
        "tables": [store.identity(table) for table in (EMBEDDINGS, PRODUCTS)],
        "embeddings": store.version(EMBEDDINGS),
        "products": store.version(PRODUCTS),
    }


def _continues(last: State, state: State) -> bool:
    """Say whether lists made under `last` can be brought up to date; and why not on the log."""
    if not last:
        return False
    fixed = ("model_version", "k", "lists", "tables")
    changed = [name for name in fixed if last.get(name) != state[name]]
    if changed:
        log.info("neighbours: %s changed", ", ".join(changed))
    return not changed


def _keys(store: Store, state: State, settings: NeighbourSettings) -> pa.Table | None:
    versions = Versions(state["embeddings"], state["products"])
    keys = read_keys(store, state["model_version"], versions, columns_needed(settings))
    if keys is None:
        log.info("neighbours: %s can no longer be read", versions)
    return keys


def _search(
    store: Store, state: State, keys: pa.Table, plans: list[ListPlan], tile: int
) -> DataFrame:
    requests = [request for part in plans for request in part.requests(len(keys))]
    if not requests:
        return store.spark.createDataFrame([], FOUND)
    catalogue = export_catalogue(
        store, state["model_version"], state["embeddings"], keys, _shipping_folder()
    )
    return search_lists(store.spark, catalogue, requests, tile)


def _shipping_folder() -> Path:
    """Return a new folder that lives as long as the session: executors may join at any time."""
    folder = Path(mkdtemp(prefix="fashionrec-"))
    atexit.register(rmtree, folder, ignore_errors=True)
    return folder


def _update(
    store: Store,
    plans: list[ListPlan],
    keys: pa.Table,
    entries: pa.Table,
    found: DataFrame,
    state: State,
) -> Written:
    """Write the entries that differ. They are few, so that the driver can tell."""
    ids = keys["product_id"].to_numpy()
    changes = changed_entries(plans, ids, entries, found.drop("proved").toArrow())
    counts = {kind: pc.sum(pc.equal(changes[CHANGE], kind)).as_py() or 0 for kind in _KINDS}
    written = Written(*counts.values())
    if written.total:
        rows = store.spark.createDataFrame(changes).withColumn(
            "model_version", F.lit(state["model_version"])
        )
        store.apply(NEIGHBOURS, rows.select(CHANGE, *NEIGHBOURS.names), written, state)
    else:
        store.mark(NEIGHBOURS, state)
    return written


_KINDS = ("insert", "update", "delete")  # in the order of Written


def _rows(found: DataFrame, model_version: str) -> DataFrame:
    return found.withColumn("model_version", F.lit(model_version)).select(*NEIGHBOURS.names)


def _count(
    run: Run,
    plans: list[ListPlan],
    keys: pa.Table,
    found: DataFrame,
    written: Written,
    *,
    rebuilt: bool,
) -> None:
    searched = found.where("NOT entering AND rank = 1")
    run.count(
        "neighbours",
        rebuilt=int(rebuilt),
        lists_searched=sum(len(part.plan.search) for part in plans),
        distinct_pictures=len(pc.unique(keys["image_sha256"])),
        proved_at_once=searched.where("proved").count(),
        rows_changed=written.total,
    )
