"""Opening a Delta table without a JVM, through delta-rs, now or at a version."""

import os

import deltalake
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

from fashionrec.errors import FashionrecError, one_line
from fashionrec.tables import SCHEMA_VERSION

SCHEMA_PROPERTY = "fashionrec.schemaVersion"
_ID = "product_id"


def open_table(path: str, version: int | None = None) -> deltalake.DeltaTable:
    """Open a Delta table, now or at a version.

    Raises:
        FashionrecError: its log is damaged, or a newer version of this package made it.
        DeltaError: there is no such version.
    """
    try:
        table = deltalake.DeltaTable(path, version=version)
    except deltalake.exceptions.DeltaError as error:
        if version is not None:
            raise
        raise FashionrecError(
            f"{path}: its log cannot be read: restore the folder, or give another one "
            f"({one_line(error):.200})"
        ) from error
    schema = table.metadata().configuration.get(SCHEMA_PROPERTY, "0")
    if not schema.isdecimal() or int(schema) > SCHEMA_VERSION:
        raise FashionrecError(
            f"{path}: has table schema {schema}, this version of fashionrec knows up to "
            f"{SCHEMA_VERSION}: run the newer version, or give another folder with --warehouse"
        )
    return table


def is_table(path: str) -> bool:
    """Say whether a path is a Delta table.

    Raises:
        FashionrecError: the object store that it names cannot be asked.
    """
    try:
        return bool(deltalake.DeltaTable.is_deltatable(path))
    except OSError as error:
        raise FashionrecError(f"{path}: cannot be reached: {one_line(error)}") from error


def dataset_of(path: str, version: int | None = None) -> ds.Dataset:
    """Return a Delta table, now or at a version, as an Arrow dataset.

    A local one is read by Arrow's own file system: delta-rs' is written in Python, and Arrow's
    threads that call it while a short command ends abort the process.
    """
    table = open_table(path, version)
    local = (
        SubTreeFileSystem(os.path.abspath(path), LocalFileSystem()) if os.path.isdir(path) else None
    )
    return _with_bounds(table, table.to_pyarrow_dataset(filesystem=local))


def _with_bounds(table: deltalake.DeltaTable, dataset: ds.Dataset) -> ds.Dataset:
    """Tell Arrow which ids each file may hold, so that a look-up opens no other.

    delta-rs knows them from the log, and passes on only which columns are never null.
    """
    files = pa.table(table.get_add_actions(flatten=True))
    wanted = ["path", *(f"{fact}.{_ID}" for fact in ("min", "max", "null_count"))]
    if not set(wanted) <= set(files.column_names):
        return dataset
    known = {
        path: facts for path, *facts in zip(*(files[n].to_pylist() for n in wanted), strict=True)
    }
    fragments = [
        dataset.format.make_fragment(
            fragment.path,
            dataset.filesystem,
            partition_expression=fragment.partition_expression & _within(*known[fragment.path]),
        )
        for fragment in dataset.get_fragments()
    ]
    return ds.FileSystemDataset(fragments, dataset.schema, dataset.format, dataset.filesystem)


def _within(low: int | None, high: int | None, nulls: int | None) -> ds.Expression:
    if low is None or high is None:  # a writer that records none
        return pc.scalar(True)
    id = pc.field(_ID)
    within = (id >= low) & (id <= high)
    return within if nulls == 0 else within | id.is_null()
