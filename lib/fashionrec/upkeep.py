"""Compaction and VACUUM of a Delta table by delta-rs: no row changes, and no Spark is needed."""

from collections.abc import Collection
from typing import Any

import deltalake
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, WriterProperties

from fashionrec.datafiles import ROWS_PER_GROUP
from fashionrec.history import UPKEEP
from fashionrec.settings import MaintainSettings
from fashionrec.tables import Table


def compact(
    delta: DeltaTable,
    table: Table,
    settings: MaintainSettings,
    properties: CommitProperties | None,
) -> int:
    """Replace small files by whole ones; return how many, and make no commit where there are none.

    A table that is looked up by product is sorted by it on the way, so that each file holds a range
    of products, unless it has more than `sort_bytes`: sorting takes five times as much memory.
    """
    files = pa.table(delta.get_add_actions(flatten=True))
    size, rows = (pc.sum(files[name]).as_py() or 0 for name in ("size_bytes", "num_records"))
    target = max(1, min(settings.file_bytes, table.rows_per_file * size // max(rows, 1)))
    options: dict[str, Any] = {
        "target_size": target,
        "writer_properties": WriterProperties(max_row_group_size=ROWS_PER_GROUP),
        "commit_properties": properties,
    }
    if "product_id" not in table.key or size > settings.sort_bytes:
        done = delta.optimize.compact(**options)
    elif len(files) > 1 and not _is_compact(delta):
        done = delta.optimize.z_order(["product_id"], **options)
    else:
        return 0
    return int(done["numFilesRemoved"])


def _is_compact(delta: DeltaTable) -> bool:
    """Say whether the files are those of an OPTIMIZE."""
    history = (commit["operation"] for commit in delta.history())
    files_of = (name for name in history if name == "OPTIMIZE" or name not in UPKEEP)
    return next(files_of, None) == "OPTIMIZE"


def vacuum(
    delta: DeltaTable, hours: int, keep: Collection[int], properties: CommitProperties | None
) -> int:
    """Delete files that no version of the last `hours` needs, nor one of `keep`; return how many.

    Among them are those that killed workers left, and the change feed of earlier days. No commit
    where there are none.
    """
    deleted = delta.vacuum(
        retention_hours=hours,
        enforce_retention_duration=False,
        dry_run=False,
        full=True,
        keep_versions=[version for version in keep if _is_readable(delta, version)],
        commit_properties=properties,
    )
    return len(deleted)


def _is_readable(delta: DeltaTable, version: int) -> bool:
    """Say whether the log still has a version."""
    try:
        DeltaTable(delta.table_uri, version=version)
    except deltalake.exceptions.DeltaError:
        return False
    return True
