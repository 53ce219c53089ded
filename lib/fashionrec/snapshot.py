"""The tables of a warehouse at one moment, for programs of one's own: no JVM, no copies."""

from collections.abc import Iterable
from functools import cached_property
from numbers import Integral
from pathlib import Path

import deltalake
import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from fashionrec import duck, tables
from fashionrec.errors import FashionrecError
from fashionrec.history import same_rows
from fashionrec.opening import dataset_of, is_table, open_table
from fashionrec.paths import absolute, at, is_remote
from fashionrec.tables import PRODUCTS, RECOMMENDATIONS, RUNS, Table


class Snapshot:
    """The tables as they are when it is made, or as a run left them; later nights do not change it.

    `runs` is the whole record in either case.

    Raises:
        FashionrecError: there are no tables, or no such run.
    """

    def __init__(self, warehouse: str | Path, run_id: str | None = None) -> None:
        self.warehouse = at(warehouse)
        self.run_id = run_id
        self.present = [table for table in tables.ALL if self._is_there(table)]
        if not self.present:
            raise FashionrecError(_why_empty(self.warehouse))
        now = {table: open_table(self._path(table)) for table in self.present}
        if run_id is None:
            self.versions = {table: delta.version() for table, delta in now.items()}
        else:
            left = _versions_left_by(self._path(RUNS), run_id)
            self.versions = {
                table: same_rows(delta, left[table.name])
                for table, delta in now.items()
                if table.name in left
            } | {RUNS: now[RUNS].version()}

    def as_of(self, run_id: str) -> "Snapshot":
        """Return the tables as a run left them; what it left unchanged is what it found."""
        return Snapshot(self.warehouse, run_id)

    def products(self) -> pa.Table:
        """Return the table `products`; its method `to_pandas` makes a DataFrame."""
        return self.dataset(PRODUCTS).to_table()

    def recommendations(self, *product_ids: int | Iterable[int]) -> pa.Table:
        """Return the rows of these products in `recommendations`, by product, list and rank.

        Only files and row groups that may hold the products are read. Where no argument is given,
        the rows of all products, in no order.

        Raises:
            TypeError: an id is no whole number.
        """
        dataset = self.dataset(RECOMMENDATIONS)
        if not product_ids:
            return dataset.to_table()
        ids = _ids(product_ids)
        id, low, high = pc.field("product_id"), min(ids, default=0), max(ids, default=0)
        # Arrow knows by bounds alone which row groups it need not read.
        within = (id >= low) & (id <= high) & id.isin(pa.array(ids, pa.int64()))
        order = [(name, "ascending") for name in ("product_id", "list", "rank")]
        return dataset.to_table(filter=within).sort_by(order)

    def connect(self) -> duckdb.DuckDBPyConnection:
        """Return a DuckDB connection with every table and view under its own name."""
        return duck.connect(self)

    def dataset(self, table: Table) -> ds.Dataset:
        """Return a table as an Arrow dataset.

        Raises:
            FashionrecError: the table is not there, or VACUUM has deleted its files.
        """
        if table not in self._datasets:
            self._datasets[table] = self._open(table)
        return self._datasets[table]

    def schema(self, table: Table) -> pa.Schema:
        """Return a table's columns as they are now."""
        return pa.schema(open_table(self._path(table)).schema().to_arrow())

    def files(self, table: Table) -> list[str]:
        """Return the Parquet files of a table, paths or URIs; raises as `dataset`."""
        return [f"{absolute(self._path(table))}/{name}" for name in self.dataset(table).files]

    @cached_property
    def _datasets(self) -> dict[Table, ds.Dataset]:
        return {}

    def _open(self, table: Table) -> ds.Dataset:
        path = self._path(table)
        if table not in self.versions:
            since = "" if self.run_id is None else f" as of run {self.run_id}"
            raise FashionrecError(f"{path}: there is no such table{since}")
        version = self.versions[table]
        try:
            dataset = dataset_of(path, version)
        except deltalake.exceptions.DeltaError as error:
            raise self._gone(path, version) from error
        # Not looked for in an object store, one request each: reading them tells.
        names = [] if is_remote(path) else dataset.files
        missing = [name for name in names if not Path(path, name).exists()]
        if missing:
            raise _lost(path, missing) or self._gone(path, version)
        return dataset

    def _gone(self, path: str, version: int) -> FashionrecError:
        of_run = "" if self.run_id is None else f", which run {self.run_id} left,"
        return FashionrecError(
            f"{path}: version {version}{of_run} can no longer be read: its files have been cleaned "
            "up (maintain.keep_hours says how long they are kept)"
        )

    def _is_there(self, table: Table) -> bool:
        return is_table(self._path(table))

    def _path(self, table: Table) -> str:
        return str(self.warehouse / table.name)


def _ids(given: Iterable[int | Iterable[int]]) -> list[int]:
    """Return ids that are given one by one or several at once."""
    found: list[object] = []
    for each in given:
        if isinstance(each, Iterable) and not isinstance(each, str):
            found += list(each)
        else:
            found.append(each)
    ids = [int(id) for id in found if isinstance(id, Integral)]
    if len(ids) < len(found):
        wrong = next(id for id in found if not isinstance(id, Integral))
        raise TypeError(f"the id of a product is a whole number, and {wrong!r} is none")
    return ids


def _why_empty(warehouse: Path) -> str:
    where, another = absolute(warehouse), "give another folder with --warehouse"
    if not is_remote(warehouse) and not warehouse.exists():
        return f"{where}: does not exist: run nightly first, or {another}"
    if not is_remote(warehouse) and not warehouse.is_dir():
        return f"{where}: is no folder: {another}"
    return f"{where}: holds no tables yet: run nightly first, or {another}"


def _lost(path: str, missing: list[str]) -> FashionrecError | None:
    """Return the error of a file that no upkeep removed, because the table still has it."""
    lost = set(missing).intersection(dataset_of(path).files)
    if not lost:
        return None
    return FashionrecError(f"{path}/{min(lost)}: is missing: restore it from a copy")


def _versions_left_by(runs: str, run_id: str) -> dict[str, int]:
    """Return the version of each table at a run's end, from the record of runs.

    Raises:
        FashionrecError: there is no such run, or it has no end.
    """
    columns = ["run_id", "status", "versions_read", "versions_written"]
    rows = dataset_of(runs).to_table(columns=columns).to_pylist()
    row = next((row for row in rows if row["run_id"] == run_id), None)
    if row is None:
        known = ", ".join(sorted(row["run_id"] for row in rows)[-5:]) or "there is none"
        raise FashionrecError(f"{run_id}: there is no such run; the last ones: {known}")
    if row["status"] in ("running", "abandoned"):
        raise FashionrecError(f"{run_id}: is {row['status']}, so what it left is not recorded")
    return dict(row["versions_read"]) | dict(row["versions_written"])
