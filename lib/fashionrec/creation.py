"""Creating the tables of a warehouse, bringing older ones up to date, and refusing foreign ones."""

import logging
from pathlib import Path

import deltalake
from pyspark.sql.types import DataType, StructType

from fashionrec.errors import FashionrecError, one_line
from fashionrec.opening import SCHEMA_PROPERTY, is_table, open_table
from fashionrec.paths import at
from fashionrec.tables import SCHEMA_VERSION, Table

log = logging.getLogger(__name__)

_LOG = "_delta_log"
_TYPES = {"BIGINT": "long", "INT": "integer"}  # Delta's names, where they are not SQL's
# Any Delta reader can read these tables: neither deletion vectors nor column mapping.
_PROPERTIES = {
    "delta.enableChangeDataFeed": "true",
    "delta.enableDeletionVectors": "false",
    "delta.columnMapping.mode": "none",
}


def check_folder(warehouse: str) -> None:
    """Check that a folder may be, or become, a warehouse.

    Raises:
        FashionrecError: it is a file, or a table of its own.
    """
    folder = at(warehouse)
    if folder.exists() and not folder.is_dir():
        raise FashionrecError(f"{folder}: is no folder: give another one with --warehouse")
    if (folder / _LOG).exists():
        raise FashionrecError(
            f"{folder}: is a Delta table and no folder of tables: give another one with --warehouse"
        )


def is_ours(path: str, table: Table) -> bool:
    """Say whether the table has been created.

    Raises:
        FashionrecError: the folder holds something else, or a log that cannot be read.
    """
    if at(path).is_dir() and is_table(path):
        _check_columns(path, table)
        return True
    if at(path).exists() and not _is_bare(at(path)):
        raise FashionrecError(
            f"{path}: is not a Delta table, so this is no warehouse of ours: give another folder "
            "with --warehouse"
        )
    return False


def _is_bare(folder: Path) -> bool:
    """Say whether a folder is empty, but for what a run left that was killed creating a table."""
    if not folder.is_dir():
        return False
    files = (path for path in folder.rglob("*") if not path.is_dir())
    return all(path.parent == folder / _LOG and path.suffix == ".tmp" for path in files)


def create(path: str, table: Table) -> None:
    """Create the table, with its comments."""
    schema = StructType()
    for column in table.columns:
        kind, nullable = DataType.fromDDL(column.type), column.name not in table.key
        schema.add(column.name, kind, nullable, {"comment": column.comment})
    # By delta-rs: Spark takes most of a second per table.
    deltalake.DeltaTable.create(
        path,
        deltalake.Schema.from_json(schema.json()),
        mode="ignore",
        description=table.comment,
        configuration=_PROPERTIES,
    )


def _check_columns(path: str, table: Table) -> None:
    fields = open_table(path).schema().fields
    found = [field.name for field in fields]
    if found != table.names:
        raise FashionrecError(
            f"{path}: has the columns {found}, this version of fashionrec needs {table.names}: "
            "run nightly with another folder as --warehouse"
        )
    for field, column in zip(fields, table.columns, strict=True):
        kind = column.type.partition("<")[0]
        if field.type.type != _TYPES.get(kind, kind.lower()):
            raise FashionrecError(
                f"{path}: {column.name} is {field.type.type}, this version of fashionrec needs "
                f"{column.type}: run nightly with another folder as --warehouse"
            )


def bring_up_to_date(path: str, table: Table) -> None:
    """Add what the table lacks; the version last, so that one that was killed here begins again."""
    delta = open_table(path)
    found = delta.metadata().configuration
    checks = {name: rule for name, rule in table.checks if f"delta.constraints.{name}" not in found}
    if checks:
        _add_checks(delta, path, checks)
    if SCHEMA_PROPERTY not in found:
        log.debug("%s: gets table schema %d", path, SCHEMA_VERSION)
        # On its own, because delta-rs takes only Delta's own properties when it creates a table.
        delta.alter.set_table_properties(
            {SCHEMA_PROPERTY: str(SCHEMA_VERSION)}, raise_if_not_exists=False
        )


def _add_checks(delta: deltalake.DeltaTable, path: str, checks: dict[str, str]) -> None:
    try:
        delta.alter.add_constraint(checks)
    except deltalake.exceptions.DeltaError as error:
        raise FashionrecError(
            f"{path}: not every row fulfils {' AND '.join(checks.values())} ({one_line(error)}): "
            "remove this folder and run nightly, which makes the table anew"
        ) from error
