"""Where lists are kept: `neighbours` holds the ranks that are published, `reserves` those beyond.

The reserve saves time and nothing else. Where it was not left by the same change as `neighbours`,
as when a run was killed between their commits, lists go on without it.
"""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.dataset as ds
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fashionrec.changes import CHANGE, Written, count_changes
from fashionrec.neighbours.plans import ENTRY
from fashionrec.neighbours.state import State
from fashionrec.read import TableReader
from fashionrec.store import Store
from fashionrec.tables import NEIGHBOURS, RESERVES, Table

_ORDER = [("product_id", "ascending"), ("rank", "ascending")]


@dataclass(frozen=True)
class Kept:
    """Versions of `neighbours` and of `reserves`, None where that does not go with it."""

    neighbours: int
    reserves: int | None

    @property
    def tables(self) -> list[tuple[Table, int]]:
        """The tables that lists are read from, with their versions."""
        first = (NEIGHBOURS, self.neighbours)
        return [first] if self.reserves is None else [first, (RESERVES, self.reserves)]


def kept_lists(store: TableReader) -> Kept:
    """Return where the lists are that there are now."""
    # The latest versions: Spark, too, reads a sample there, and VACUUM takes files of earlier ones.
    lists, reserve = (store.latest(table) for table in (NEIGHBOURS, RESERVES))
    belongs = store.state(RESERVES) == store.state(NEIGHBOURS)
    return Kept(lists, reserve if belongs else None)


def read_list(store: TableReader, kept: Kept, name: str) -> pa.Table:
    """Return the entries of a list with its reserve, by product, best first, in one chunk."""
    wanted, columns = ds.field("list") == name, ENTRY[1:]
    parts = [store.scan(table, columns, wanted, at).to_table() for table, at in kept.tables]
    return pa.concat_tables(parts).sort_by(_ORDER).combine_chunks()


def read_sample(store: Store, kept: Kept, sample: DataFrame) -> pa.Table:
    """Return the entries of the lists of a sample, rows of list and product_id."""
    first, *rest = (store.read(table, at).select(*ENTRY) for table, at in kept.tables)
    entries = first.unionByName(rest[0]) if rest else first
    return entries.join(sample, ["list", "product_id"], "left_semi").toArrow()


def write_lists(store: Store, lists: DataFrame, k: int, state: State) -> Written:
    """Make `lists` all that there are, k of each published; return what changed of these."""
    rows = lists.withColumn("model_version", F.lit(state["model_version"]))
    rows = rows.select(*NEIGHBOURS.names)
    written = store.sync(NEIGHBOURS, rows.where(F.col("rank") <= k), state=state)
    store.sync(RESERVES, rows.where(F.col("rank") > k), state=state)
    return written


def write_changes(store: Store, kept: Kept, changes: DataFrame, k: int, state: State) -> Written:
    """Write the entries by which lists differ from those `kept`; return what changed of those
    published."""
    rows = changes.withColumn("model_version", F.lit(state["model_version"]))
    published = rows.where(F.col("rank") <= k)
    written = _apply(store, NEIGHBOURS, published, kept.neighbours, state)
    beyond = rows.where(F.col("rank") > k)
    if kept.reserves is None:  # all of the reserve is new
        there = beyond.where(F.col(CHANGE) != "delete").select(*RESERVES.names)
        store.sync(RESERVES, there, state=state)
    else:
        _apply(store, RESERVES, beyond, kept.reserves, state)
    return written


def _apply(store: Store, table: Table, changes: DataFrame, since: int, state: State) -> Written:
    written = count_changes(changes)
    if written.total:
        store.apply(table, changes.select(CHANGE, *table.names), written, since, state)
    else:
        store.mark(table, state, since)
    return written
