"""The tables without a JVM, through delta-rs: for look-ups, and where Spark is slow.

In a program of one's own:
`read.warehouse("warehouse").as_of(run_id).recommendations().to_pandas()`.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import deltalake
import pyarrow as pa
import pyarrow.dataset as ds

from fashionrec import tables
from fashionrec.errors import FashionrecError
from fashionrec.history import is_upkeep, last_change, same_rows
from fashionrec.opening import dataset_of, is_table, open_table
from fashionrec.paths import absolute
from fashionrec.snapshot import Snapshot
from fashionrec.tables import Table


def warehouse(folder: str | Path) -> Snapshot:
    """Return the tables of a warehouse as they are now; see `Snapshot`."""
    return Snapshot(folder)


class TableReader:
    """The Delta tables of one warehouse folder, to read."""

    def __init__(self, warehouse: str | Path) -> None:
        self.warehouse = str(warehouse)

    def path(self, table: Table) -> str:
        """Return where the table lies."""
        return f"{self.warehouse.rstrip('/')}/{table.name}"  # a whole bucket ends so

    def exists(self, table: Table) -> bool:
        """Say whether the table has been created."""
        return is_table(self.path(table))

    def require(self, table: Table) -> None:
        """Refuse to go on without the table.

        Raises:
            FashionrecError: it is not there yet.
        """
        if not self.exists(table):
            raise FashionrecError(
                f"{self.path(table)}: there is no such table yet: run nightly first"
            )

    def version(self, table: Table) -> int:
        """Return the version that last changed the table's rows, -1 where it does not exist.

        Upkeep since then is no change: what was made from this version need not be made again.
        """
        return int(last_change(self._snapshot(table))["version"]) if self.exists(table) else -1

    def latest(self, table: Table) -> int:
        """Return the table's latest version: what VACUUM keeps longest, and upkeep included."""
        return self._snapshot(table).version()

    def same_rows(self, table: Table, version: int) -> int:
        """Return the last version that has a version's rows; see `history.same_rows`."""
        return same_rows(self._snapshot(table), version)

    def versions(self) -> dict[str, int]:
        """Return the version that last changed the rows of each table that exists."""
        return {table.name: self.version(table) for table in tables.ALL if self.exists(table)}

    def is_empty(self, table: Table) -> bool:
        """Say whether the table has no data file, from its log alone."""
        return not self._snapshot(table).file_uris()

    def state(self, table: Table) -> dict[str, Any]:
        """Return what the last change of the table left as its state.

        {} where that change left none: the rows are then not those that an earlier state speaks of;
        and where there is no table.
        """
        if not self.exists(table):
            return {}
        for commit in self._snapshot(table).history():
            if "userMetadata" in commit:
                return dict(json.loads(commit["userMetadata"]))
            if not is_upkeep(commit):
                break
        return {}

    def states(self, table: Table) -> Iterator[dict[str, Any]]:
        """Return every state that the table's log still has, the latest first."""
        for commit in self._snapshot(table).history():
            if "userMetadata" in commit:
                yield json.loads(commit["userMetadata"])

    def scan(
        self,
        table: Table,
        columns: Sequence[str],
        where: ds.Expression | None = None,
        version: int | None = None,
    ) -> ds.Scanner:
        """Return columns of the table, now or at a version, for the driver and without Spark.

        What upkeep made of a version is read: VACUUM takes the files that were replaced.
        """
        at = None if version is None else self.same_rows(table, version)
        dataset = dataset_of(self.path(table), at)
        return dataset.scanner(columns=list(columns), filter=where)

    def distinct(self, table: Table, column: str) -> set[Any]:
        """Return the values of a column that has few; a batch of rows is in memory at a time."""
        batches = self.scan(table, [column]).to_batches()
        return {value for batch in batches for value in batch[column].unique().to_pylist()}

    def files(self, table: Table) -> list[str]:
        """Return the Parquet files of the table, paths or URIs."""
        path = self.path(table)
        return [f"{absolute(path)}/{name}" for name in dataset_of(path).files]

    def read_version(
        self, table: Table, columns: Sequence[str], version: int, where: ds.Expression | None = None
    ) -> pa.Table | None:
        """Return columns of the table at a version; None where it can no longer be read."""
        try:
            return self.scan(table, columns, where, version).to_table()
        except (OSError, deltalake.exceptions.DeltaError):
            return None  # its log or its files were cleaned up, or there never was such a version

    def can_read(self, table: Table, version: int) -> bool:
        """Say whether all that has the table's rows at a version is still there; see `scan`."""
        try:
            self.scan(table, [], None, version).count_rows()
        except (OSError, deltalake.exceptions.DeltaError):
            return False
        return True

    def rows_of(self, table: Table, product_id: int) -> pa.Table:
        """Return the rows of one product, reading only the files that may hold it.

        Raises:
            FashionrecError: the table is not there yet.
        """
        self.require(table)
        columns = [name for name in table.names if name not in ("content", "embedding")]
        return self.scan(table, columns, ds.field("product_id") == product_id).to_table()

    def arrow_schema(self, table: Table) -> pa.Schema:
        """Return the Arrow schema that the table's files have."""
        return pa.schema(self._snapshot(table).schema().to_arrow())

    def identity(self, table: Table) -> str:
        """Return an id that tells the table from another one at the same path."""
        return str(self._snapshot(table).metadata().id)

    def count(self, table: Table, where: ds.Expression | None = None) -> int:
        """Return the number of rows, without Spark."""
        return int(dataset_of(self.path(table)).count_rows(filter=where))

    def _snapshot(self, table: Table) -> deltalake.DeltaTable:
        return open_table(self.path(table))
