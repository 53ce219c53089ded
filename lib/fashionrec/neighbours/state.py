"""What lists are made from, and whether those that are there can be continued from."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from fashionrec.neighbours.catalogue import Versions, read_keys
from fashionrec.neighbours.plans import columns_needed, enabled_lists
from fashionrec.read import TableReader
from fashionrec.settings import NeighbourSettings
from fashionrec.tables import EMBEDDINGS, PRODUCTS

State = dict[str, Any]


def state_of(store: TableReader, model_version: str, settings: NeighbourSettings) -> State:
    """Return all that lists depend on."""
    lists = {name: rules.model_dump() for name, rules in enabled_lists(settings).items()}
    return {
        "model_version": model_version,
        "k": settings.k,
        "lists": lists,
        "inexact": {"past": settings.exact_up_to, "probes": settings.probes},
        "tables": [store.identity(table) for table in (EMBEDDINGS, PRODUCTS)],
        "embeddings": store.version(EMBEDDINGS),
        "products": store.version(PRODUCTS),
    }


def read_before(
    store: TableReader, last: State, state: State, keys: pa.Table, settings: NeighbourSettings
) -> tuple[pa.Table | None, str | None]:
    """Return the keys that the lists were made from; None, and why, where all must be made anew."""
    before = None if _differs(last, state) else read_products(store, last, settings)
    if before is None:
        return None, why_anew(store, last, state) or "what they were made from cannot be read"
    if is_large(before, settings) and not is_large(keys, settings):
        return None, "the catalogue is small enough for exact lists again"
    return before, None


def is_large(keys: pa.Table, settings: NeighbourSettings) -> bool:
    """Say whether products have too many pictures to choose from for exact lists."""
    return len(pc.unique(keys["image_sha256"])) > settings.exact_up_to


def read_products(store: TableReader, state: State, settings: NeighbourSettings) -> pa.Table | None:
    """Return the keys of the products at a state; None where it can no longer be read."""
    versions = Versions(state["embeddings"], state["products"])
    return read_keys(store, state["model_version"], versions, columns_needed(settings))


def why_anew(reader: TableReader, last: State, state: State) -> str | None:
    """Return why lists made under `last` cannot be brought up to date; None where they can."""
    if reason := _differs(last, state):
        return reason
    for table in (EMBEDDINGS, PRODUCTS):
        if not reader.can_read(table, last[table.name]):
            return f"version {last[table.name]} of {table.name} can no longer be read"
    return None


def _differs(last: State, state: State) -> str | None:
    """Return what else than rows has changed, in words; None where nothing has."""
    if not last:
        return "there are none that this project has left"
    fixed = ("model_version", "k", "lists", "inexact", "tables")
    changed = [name for name in fixed if last.get(name) != state[name]]
    return f"{', '.join(changed)} changed" if changed else None
