"""The tables in Spark: what jobs read and write through DataFrames.

A write changes only rows that differ, and where nothing differs it makes no commit: Delta rewrites
matched files even where a MERGE clause's condition is false. A write of what differs says `since`
which version, and is refused where the rows are others by then. What a step needs to know in order
to go on is committed with its output, as Delta's userMetadata.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from delta.tables import DeltaTable
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from fashionrec.changes import CHANGE, Written, changes, count_changes, exact
from fashionrec.conflicts import committed
from fashionrec.datafiles import FILE, Batches, DataFile, write_files
from fashionrec.errors import FashionrecError
from fashionrec.session import with_properties
from fashionrec.tables import Table
from fashionrec.write import TableWriter

_SHARE = 0.01  # of rows that differ, past which they are likely to be in every file
_ROWS_PER_TASK = 50_000  # of a table that is written anew: fewer are not worth a task
_USER_METADATA = "spark.databricks.delta.commitInfo.userMetadata"


class Store(TableWriter):
    """The Delta tables of one warehouse folder, to read and to write in any way."""

    def __init__(self, spark: SparkSession, warehouse: str | Path) -> None:
        super().__init__(warehouse)
        self.spark = spark

    def read(self, table: Table, version: int | None = None) -> DataFrame:
        """Return the table as it is now, or as it was at a version."""
        self.require(table)
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

    def append(
        self,
        table: Table,
        rows: DataFrame,
        state: dict[str, Any] | None = None,
        complete: Callable[[Batches], Batches] | None = None,
        since: int | None = None,
    ) -> int:
        """Add rows that are known to be new, and return how many they are.

        They are in files that workers write: Java takes far longer. `complete` makes the table's
        columns of those that `rows` has instead.
        """
        files = self._files_of(table, rows if complete else exact(rows, table), complete)
        self.add_files(table, files, state, since)
        return sum(file.rows for file in files)

    def replace(self, table: Table, rows: DataFrame, state: dict[str, Any]) -> int:
        """Write the whole table anew, one file per partition of `rows`; return its version."""
        writer = exact(rows, table).write.format("delta").mode("overwrite")
        with self._committing(state):
            committed(self.path(table), lambda: writer.save(self.path(table)), absolute=True)
        return self.version(table)

    def remove(self, table: Table, keys: DataFrame) -> int:
        """Remove the rows with these keys; no commit where there are none."""
        count = keys.count()
        if count:
            on = " AND ".join(f"old.{key} = gone.{key}" for key in table.key)
            target = DeltaTable.forPath(self.spark, self.path(table)).alias("old")
            gone = target.merge(keys.alias("gone"), on).whenMatchedDelete()
            committed(self.path(table), gone.execute)
        return count

    def changes(self, table: Table, rows: DataFrame, compare: Sequence[str]) -> DataFrame:
        """Return the rows by which the table differs from `rows`; see `changes.changes`.

        Whoever writes them asks for the `latest` version first.
        """
        if self.is_empty(table):
            return rows.withColumn(CHANGE, F.lit("insert"))
        return changes(table, self.read(table), rows, compare)

    def apply(
        self,
        table: Table,
        changes: DataFrame,
        written: Written,
        since: int,
        state: dict[str, Any] | None = None,
    ) -> None:
        """Write `changes` (whole rows with a column `_change`) in one commit, or none if empty.

        Raises:
            FashionrecError: the table's rows have changed since the version they were found in.
        """
        if not (written.updated or written.deleted):
            self.append(table, changes.drop(CHANGE), state, since=since)
        elif self._is_sooner_written_anew(table, written):
            self._write_anew(table, changes, written, since, state)
        else:
            self._merge(table, changes, since, state)

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
        since = self.latest(table)
        if self.is_empty(table):
            written = Written(inserted=self.append(table, rows, state, since=since))
        else:
            written = self._sync_rows(table, exact(rows, table), ignore, since, state)
        if state is not None and not written.total:
            self.mark(table, state, since)
        return written

    def _sync_rows(
        self,
        table: Table,
        rows: DataFrame,
        ignore: Sequence[str],
        since: int,
        state: dict[str, Any] | None,
    ) -> Written:
        compare = [name for name in table.names if name not in (*table.key, *ignore)]
        differing = self.changes(table, rows, compare).persist()
        try:
            written = count_changes(differing)
            self.apply(table, differing, written, since, state)
        finally:
            differing.unpersist()
        return written

    def _is_sooner_written_anew(self, table: Table, written: Written) -> bool:
        """Say whether most files would have to be written anew in any case."""
        if not table.internal:  # its change feed would tell of every row
            return False
        count = self.count(table)
        return count <= table.rows_per_file or written.total > _SHARE * count

    def _write_anew(
        self,
        table: Table,
        changes: DataFrame,
        written: Written,
        since: int,
        state: dict[str, Any] | None,
    ) -> None:
        """Write the changed table in files that workers write: MERGE takes longer, through Java,
        and writes all files anew as well that have a row that differs."""
        changed = exact(changes.where(F.col(CHANGE) != "delete").drop(CHANGE), table)
        by_product = sorted(table.key, key=lambda name: name != "product_id")  # for look-ups
        cores = self.spark.sparkContext.defaultParallelism
        count = self.count(table) + written.inserted - written.deleted
        tasks = max(-(-count // table.rows_per_file), min(cores, -(-count // _ROWS_PER_TASK)), 1)

        def write() -> None:
            snapshot = self._snapshot(table)
            old = self.read(table, snapshot.version())
            kept = old.join(changes.select(*table.key), list(table.key), "left_anti")
            rows = kept.select(*table.names).unionByName(changed)
            ordered = rows.repartitionByRange(tasks, *by_product).sortWithinPartitions(*by_product)
            self.replace_files(snapshot, self._files_of(table, ordered), state)

        committed(self.path(table), write, since=since)

    def _files_of(
        self, table: Table, rows: DataFrame, complete: Callable[[Batches], Batches] | None = None
    ) -> list[DataFile]:
        """Have workers write files of rows, or of what `complete` makes of them."""
        target = self.path(table), self.arrow_schema(table), table.key, table.rows_per_file

        def write(batches: Batches) -> Batches:
            return write_files(complete(batches) if complete else batches, *target)

        found = rows.mapInArrow(write, from_arrow_schema(FILE)).collect()
        return [DataFile(**file.asDict()) for file in found]

    def _merge(
        self, table: Table, changes: DataFrame, since: int, state: dict[str, Any] | None
    ) -> None:
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
            committed(self.path(table), merge.execute, since=since)

    def _committing(self, state: dict[str, Any] | None) -> AbstractContextManager[None]:
        properties = {} if state is None else {_USER_METADATA: json.dumps(state)}
        return with_properties(self.spark, properties)
