"""Where lists are kept: `neighbours` holds the ranks that are published, `reserves` those beyond.

The reserve saves time and nothing else. Where it was not left by the same change as `neighbours`,
as when a run was killed between their commits, lists go on without it.
"""

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fashionrec.changes import CHANGE, Written
from fashionrec.neighbours.plans import ENTRY, applied, differences
from fashionrec.neighbours.state import State
from fashionrec.store import Store
from fashionrec.tables import NEIGHBOURS, RESERVES, Table

_KINDS = ("insert", "update", "delete")  # in the order of Written


def read_lists(store: Store) -> pa.Table:
    """Return the entries of all lists, with their reserve."""
    entries = store.scan(NEIGHBOURS, ENTRY).to_table()
    if store.state(RESERVES) != store.state(NEIGHBOURS):
        return entries
    return pa.concat_tables([entries, store.scan(RESERVES, ENTRY).to_table()])


def write_lists(store: Store, lists: DataFrame, k: int, state: State) -> Written:
    """Make `lists` all that there are, k of each published; return what changed of these."""
    rows = lists.withColumn("model_version", F.lit(state["model_version"]))
    rows = rows.select(*NEIGHBOURS.names)
    written = store.sync(NEIGHBOURS, rows.where(F.col("rank") <= k), state=state)
    store.sync(RESERVES, rows.where(F.col("rank") > k), state=state)
    return written


def write_changes(
    store: Store, entries: pa.Table, changes: pa.Table, k: int, state: State
) -> Written:
    """Write the entries by which lists differ from `entries`, which were read here; they are few,
    so that the driver can tell. Return what changed of those published."""
    written = _apply(store, NEIGHBOURS, changes.filter(pc.field("rank") <= k), state)
    before = store.scan(RESERVES, ENTRY).to_table()
    after = applied(entries, changes).filter(pc.field("rank") > k)
    _apply(store, RESERVES, differences(before, after), state)
    return written


def _apply(store: Store, table: Table, changes: pa.Table, state: State) -> Written:
    counts = {kind: pc.sum(pc.equal(changes[CHANGE], kind)).as_py() or 0 for kind in _KINDS}
    written = Written(*counts.values())
    if written.total:
        rows = store.spark.createDataFrame(changes).withColumn(
            "model_version", F.lit(state["model_version"])
        )
        store.apply(table, rows.select(CHANGE, *table.names), written, state)
    else:
        store.mark(table, state)
    return written
