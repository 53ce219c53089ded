"""Commits without a JVM, through delta-rs: single records, files that workers wrote, and upkeep."""

import json
import time
from collections.abc import Collection, Sequence
from typing import Any, Literal

import deltalake
import pyarrow as pa
from deltalake.transaction import AddAction, RemoveAction

from fashionrec import tables
from fashionrec.conflicts import committed
from fashionrec.creation import bring_up_to_date, check_folder, create, is_ours
from fashionrec.datafiles import DataFile
from fashionrec.read import TableReader
from fashionrec.settings import MaintainSettings
from fashionrec.tables import Table
from fashionrec.upkeep import compact, vacuum


class TableWriter(TableReader):
    """The Delta tables of one warehouse folder, to read, and to write what takes no Spark."""

    def create_missing(self, needed: Sequence[Table] = tables.NIGHTLY) -> None:
        """Create the tables that are not there yet, and bring the others up to date.

        Raises:
            FashionrecError: a folder of the warehouse holds something else than our table, or one
                that is too old or too new.
        """
        for table in self.missing(needed):
            create(self.path(table), table)
        for table in needed:
            bring_up_to_date(self.path(table), table)

    def missing(self, needed: Sequence[Table] = tables.NIGHTLY) -> list[Table]:
        """Return the tables that are not there yet, and change nothing.

        Raises:
            FashionrecError: as `create_missing`.
        """
        check_folder(self.warehouse)
        return [table for table in needed if not is_ours(self.path(table), table)]

    def mark(self, table: Table, state: dict[str, Any], since: int | None = None) -> None:
        """Commit a state alone, where the last one differs and there was nothing to write.

        `since`, here and below: the version that was looked at, see `conflicts.committed`.
        """
        if self.state(table) == state:
            return
        nothing, properties = self.arrow_schema(table).empty_table(), _properties(state)
        committed(
            self.path(table),
            lambda: deltalake.write_deltalake(
                self._snapshot(table), nothing, mode="append", commit_properties=properties
            ),
            since=since,
        )

    def add_files(
        self,
        table: Table,
        files: Sequence[DataFile],
        state: dict[str, Any] | None = None,
        since: int | None = None,
    ) -> None:
        """Add the rows of files that lie in the table's folder; no commit where there are none."""
        properties = _properties(state)
        if files:
            committed(
                self.path(table),
                lambda: _commit(self._snapshot(table), files, "append", properties),
                since=since,
            )

    def replace_files(
        self,
        snapshot: deltalake.DeltaTable,
        files: Sequence[DataFile],
        state: dict[str, Any] | None = None,
    ) -> None:
        """Make files all that a table has, in the place of those of `snapshot`.

        Fails where there has been any commit since: delta-rs would let the file that a compaction
        made of the replaced ones stay.
        """
        properties = _properties(state) or deltalake.CommitProperties()
        properties.max_commit_retries = 0
        _commit(snapshot, files, "overwrite", properties)

    def rewrite(self, table: Table, rows: pa.Table, state: dict[str, Any]) -> None:
        """Make a small table hold exactly `rows`; where it does, only the state is committed."""
        key = [(name, "ascending") for name in table.key]
        if self.scan(table, table.names).to_table().sort_by(key).equals(rows.sort_by(key)):
            self.mark(table, state)
            return
        properties = _properties(state)
        committed(
            self.path(table),
            lambda: deltalake.write_deltalake(
                self._snapshot(table), rows, mode="overwrite", commit_properties=properties
            ),
            absolute=True,
        )

    def put(self, table: Table, row: dict[str, Any]) -> None:
        """Add a row, or replace the one that has the same key, in one commit.

        For small records: it takes milliseconds, and Spark seconds.
        """
        schema = self.arrow_schema(table)
        rows = pa.Table.from_pylist([{name: _as_arrow(row[name]) for name in schema.names}], schema)
        condition = " AND ".join(f"{key} = {_literal(row[key])}" for key in table.key)
        self._overwrite(table, rows, condition)

    def delete(self, table: Table, condition: str) -> None:
        """Remove the rows that fulfil a condition in SQL, of which there are some."""
        # Overwritten by nothing: Arrow cannot read the files that delta-rs' own delete leaves.
        nothing = self.arrow_schema(table).empty_table()
        self._overwrite(table, nothing, condition)

    def compact(self, table: Table, settings: MaintainSettings) -> int:
        """Replace small files by whole ones; see `upkeep.compact`."""
        return compact(self._snapshot(table), table, settings, self._as_before(table))

    def vacuum(self, table: Table, hours: int, keep: Collection[int]) -> int:
        """Delete files that are needed no more; see `upkeep.vacuum`."""
        return vacuum(self._snapshot(table), hours, keep, self._as_before(table))

    def _overwrite(self, table: Table, rows: pa.Table, condition: str) -> None:
        committed(
            self.path(table),
            lambda: deltalake.write_deltalake(
                self._snapshot(table), rows, mode="overwrite", predicate=condition
            ),
            absolute=True,
        )

    def _as_before(self, table: Table) -> deltalake.CommitProperties | None:
        """Keep the state in upkeep's commits as well: the log forgets old ones."""
        return _properties(self.state(table) or None)


def _commit(
    snapshot: deltalake.DeltaTable,
    files: Sequence[DataFile],
    mode: Literal["append", "overwrite"],
    properties: deltalake.CommitProperties | None,
) -> None:
    actions: list[AddAction | RemoveAction] = [_as_action(file) for file in files]
    snapshot.create_write_transaction(
        actions, mode=mode, schema=snapshot.schema(), commit_properties=properties
    )


def _properties(state: dict[str, Any] | None) -> deltalake.CommitProperties | None:
    if state is None:
        return None
    return deltalake.CommitProperties(custom_metadata={"userMetadata": json.dumps(state)})


def _as_action(file: DataFile) -> AddAction:
    return AddAction(
        path=file.path,
        size=file.size,
        partition_values={},
        modification_time=time.time_ns() // 1_000_000,
        data_change=True,
        stats=file.stats,
    )


def _literal(text: str) -> str:
    escaped = text.replace("'", "''")
    return f"'{escaped}'"


def _as_arrow(value: Any) -> Any:
    """Arrow takes a map as a list of pairs."""
    return list(value.items()) if isinstance(value, dict) else value
