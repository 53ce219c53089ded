"""What has changed in `recommendations` since a run: for caches and search engines of shops.

Two pinned versions are compared, so that what changed there and back again is no change, and no
change feed has to reach back so far.
"""

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import pyarrow as pa

from fashionrec.duck import answering
from fashionrec.errors import FashionrecError
from fashionrec.snapshot import Snapshot
from fashionrec.tables import RECOMMENDATIONS, RUNS, Row
from fashionrec.values import rows

ADDED, CHANGED, REMOVED = "added", "changed", "removed"

# A row's run is no part of the list.
_DIFFERING = """
    WITH new AS (SELECT * EXCLUDE run_id FROM recommendations),
    differing AS (
        SELECT DISTINCT list, product_id
        FROM (FROM new EXCEPT FROM old UNION ALL (FROM old EXCEPT FROM new))
    ),
    before AS (SELECT DISTINCT list, product_id FROM old)
    SELECT
        differing.list, differing.product_id, before.list IS NOT NULL AS was_there,
        new.* EXCLUDE (list, product_id)
    FROM differing
    LEFT JOIN before USING (list, product_id)
    LEFT JOIN new USING (list, product_id)
    ORDER BY differing.list, differing.product_id, new.rank
"""
_TOLD_ONCE = 3  # the columns that are not of one neighbour


def changes_since(warehouse: str | Path, since: str | None) -> tuple[str, Iterator[Row]]:
    """Return the last run that has ended, and each list that differs between what both runs left.

    A list is {change, list, product_id, rows}: `added`, `changed` or `removed`, and its new rows by
    rank. Where `since` is None every list is `added`.

    Raises:
        FashionrecError: there is no such run, or what it left can no longer be read.
    """
    last = _last_run(Snapshot(warehouse))
    new = Snapshot(warehouse, last)
    old = None if since is None else Snapshot(warehouse, since)
    if old and old.versions.get(RECOMMENDATIONS) == new.versions.get(RECOMMENDATIONS):
        return last, iter(())
    return last, _grouped(_differing(new, old))


def _last_run(snapshot: Snapshot) -> str:
    columns = ["run_id", "status", "finished_at"]
    runs = snapshot.dataset(RUNS).to_table(columns=columns).to_pylist()
    ended = [run for run in runs if run["finished_at"] and run["status"] != "abandoned"]
    if not ended:
        raise FashionrecError(f"{snapshot.warehouse}: no run has ended yet: run nightly first")
    return str(max(ended, key=itemgetter("finished_at"))["run_id"])


def _differing(new: Snapshot, old: Snapshot | None) -> pa.RecordBatchReader:
    connection = new.connect()
    before = old.dataset(RECOMMENDATIONS) if old else new.schema(RECOMMENDATIONS).empty_table()
    connection.register("old_rows", before)
    connection.execute("CREATE TEMP VIEW old AS SELECT * EXCLUDE run_id FROM old_rows")
    return answering(connection, new)(_DIFFERING)


def _grouped(result: pa.RecordBatchReader) -> Iterator[Row]:
    names = result.schema.names[_TOLD_ONCE:]
    for (name, product_id, was_there), each in groupby(rows(result), lambda row: row[:3]):
        listed = [dict(zip(names, row[_TOLD_ONCE:], strict=True)) for row in each]
        present = [row for row in listed if row["rank"] is not None]
        change = (CHANGED if was_there else ADDED) if present else REMOVED
        yield {"change": change, "list": name, "product_id": product_id, "rows": present}
