"""Opening a Delta table without a JVM, through delta-rs, now or at a version."""

import os

import deltalake
import pyarrow.dataset as ds
from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

from fashionrec.errors import FashionrecError, one_line
from fashionrec.tables import SCHEMA_VERSION

SCHEMA_PROPERTY = "fashionrec.schemaVersion"


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
    return table.to_pyarrow_dataset(filesystem=local)
