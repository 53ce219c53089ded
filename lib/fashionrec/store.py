"""The one place that reads and writes Delta tables.

A write changes only rows that differ, and where nothing differs it makes no commit: Delta rewrites
matched files even where a MERGE clause's condition is false. What a step needs to know in order to
go on is committed with its output, as Delta's userMetadata.
"""

import json
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import deltalake
import pyarrow as pa
from delta.tables import DeltaTable
from deltalake.transaction import AddAction, RemoveAction
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from fashionrec import tables
from fashionrec.changes import CHANGE, Written, changes, count_changes, exact
from fashionrec.conflicts import committed
from fashionrec.creation import bring_up_to_date, check_folder, create, is_ours
from fashionrec.datafiles import FILE, Batches, DataFile, write_files
from fashionrec.errors import FashionrecError
from fashionrec.read import TableReader
from fashionrec.session import with_properties
from fashionrec.settings import MaintainSettings
from fashionrec.tables import Table
from fashionrec.upkeep import compact, vacuum

_USER_METADATA = "spark.databricks.delta.commitInfo.userMetadata"


class Store(TableReader):
    """The Delta tables of one warehouse folder, to read and to write."""

    def __init__(self, spark: SparkSession, warehouse: str | Path) -> None:
        super().__init__(warehouse)
        self.spark = spark

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

    def read(self, table: Table, version: int | None = None) -> DataFrame:
        """Return the table as it is now, or as it was at a version."""
        if not self.exists(table):
            raise FashionrecError(
                f"{self.path(table)}: there is no such table yet: run nightly first"
            )
        self._snapshot(table)  # refuses one that a newer version made
        reader = self.spark.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        return reader.load(self.path(table))

    def restore(self, table: Table, version: int, state: dict[str, Any]) -> None:
        """Make the table what it was at a version, in one commit.

        Raises:
            FashionrecError: its files have been cleaned up.
        """
        target = DeltaTable.forPath(self.spark, self.path(table))
        try:
            with self._committing(state):
                committed(self.path(table), lambda: target.restoreToVersion(version), absolute=True)
        except (Py4JJavaError, PySparkException) as error:
            raise FashionrecError(
                f"{self.path(table)}: version {version} can no longer be restored: its files have "
                "been cleaned up"
            ) from error

    def mark(self, table: Table, state: dict[str, Any]) -> None:
        """Commit a state alone, where the last one differs and there was nothing to write."""
        if self.state(table) == state:
            return
        # By delta-rs, because Spark makes no commit without rows.
        nothing = self.arrow_schema(table).empty_table()
        deltalake.write_deltalake(
            self._snapshot(table), nothing, mode="append", commit_properties=_properties(state)
        )

    def append(
        self,
        table: Table,
        rows: DataFrame,
        state: dict[str, Any] | None = None,
        complete: Callable[[Batches], Batches] | None = None,
    ) -> None:
        """Add rows that are known to be new, in files that workers write: Java takes far longer.

        `complete` makes the table's columns of those that `rows` has instead.
        """
        rows = rows if complete else exact(rows, table)
        target = self.path(table), self.arrow_schema(table), table.key, table.rows_per_file

        def write(batches: Batches) -> Batches:
            return write_files(complete(batches) if complete else batches, *target)

        files = rows.mapInArrow(write, from_arrow_schema(FILE)).collect()
        self.add_files(table, [DataFile(**file.asDict()) for file in files], state)

    def add_files(
        self, table: Table, files: Sequence[DataFile], state: dict[str, Any] | None = None
    ) -> None:
        """Add the rows of files that lie in the table's folder; no commit where there are none."""
        if not files:
            return
        actions: list[AddAction | RemoveAction] = [_as_action(file) for file in files]

        def add() -> None:
            snapshot = self._snapshot(table)
            snapshot.create_write_transaction(
                actions,
                mode="append",
                schema=snapshot.schema(),
                commit_properties=_properties(state),
            )

        committed(self.path(table), add)

    def replace(self, table: Table, rows: DataFrame, state: dict[str, Any]) -> int:
        """Write the whole table anew, one file per partition of `rows`; return its version."""
        writer = exact(rows, table).write.format("delta").mode("overwrite")
        with self._committing(state):
            committed(self.path(table), lambda: writer.save(self.path(table)), absolute=True)
        return self.version(table)

    def put(self, table: Table, row: dict[str, Any]) -> None:
        """Add a row, or replace the one that has the same key, in one commit.

        For small records: delta-rs commits in milliseconds where Spark takes seconds.
        """
        schema = self.arrow_schema(table)
        rows = pa.Table.from_pylist([{name: _as_arrow(row[name]) for name in schema.names}], schema)
        condition = " AND ".join(f"{key} = {_literal(row[key])}" for key in table.key)
        self._overwrite(table, rows, condition)

    def remove(self, table: Table, keys: DataFrame) -> int:
        """Remove the rows with these keys; no commit where there are none."""
        count = keys.count()
        if count:
            on = " AND ".join(f"old.{key} = gone.{key}" for key in table.key)
            target = DeltaTable.forPath(self.spark, self.path(table)).alias("old")
            gone = target.merge(keys.alias("gone"), on).whenMatchedDelete()
            committed(self.path(table), gone.execute)
        return count

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

    def changes(self, table: Table, rows: DataFrame, compare: Sequence[str]) -> DataFrame:
        """Return the rows by which the table differs from `rows`; see `changes.changes`."""
        if self.is_empty(table):
            return rows.withColumn(CHANGE, F.lit("insert"))
        return changes(table, self.read(table), rows, compare)

    def apply(
        self,
        table: Table,
        changes: DataFrame,
        written: Written,
        state: dict[str, Any] | None = None,
    ) -> None:
        """Write `changes` (whole rows with a column `_change`) in one commit, or none if empty."""
        if written.updated or written.deleted:
            self._merge(table, changes, state)
        elif written.inserted:
            self.append(table, changes.drop(CHANGE), state)

    def sync(
        self,
        table: Table,
        rows: DataFrame,
        *,
        ignore: Sequence[str] = (),
        state: dict[str, Any] | None = None,
    ) -> Written:
        """Make the table hold exactly `rows`, writing only those that differ.

        Columns to `ignore` (such as the run that last changed a row) do not make a row differ.
        """
        compare = [name for name in table.names if name not in (*table.key, *ignore)]
        differing = self.changes(table, exact(rows, table), compare).persist()
        try:
            written = count_changes(differing)
            self.apply(table, differing, written, state)
        finally:
            differing.unpersist()
        if state is not None:
            self.mark(table, state)
        return written

    def _merge(self, table: Table, changes: DataFrame, state: dict[str, Any] | None) -> None:
        exact(changes.drop(CHANGE), table)
        on = " AND ".join(f"old.{key} = new.{key}" for key in table.key)
        values = {name: f"new.{name}" for name in table.names}
        merge = (
            DeltaTable.forPath(self.spark, self.path(table))
            .alias("old")
            .merge(changes.alias("new"), on)
            .whenMatchedDelete(f"new.{CHANGE} = 'delete'")
            .whenMatchedUpdate(set=values)  # type: ignore[arg-type]
            .whenNotMatchedInsert(f"new.{CHANGE} <> 'delete'", values)  # type: ignore[arg-type]
        )
        with self._committing(state):
            committed(self.path(table), merge.execute)

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

    def _committing(self, state: dict[str, Any] | None) -> AbstractContextManager[None]:
        properties = {} if state is None else {_USER_METADATA: json.dumps(state)}
        return with_properties(self.spark, properties)


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
