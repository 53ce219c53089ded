"""Creating the tables of a warehouse, bringing older ones up to date, and refusing foreign ones."""

import logging
from pathlib import Path

import deltalake
from pyspark.sql.types import DataType, StructType

from fashionrec.errors import FashionrecError, one_line
from fashionrec.read import SCHEMA_PROPERTY, open_table
from fashionrec.tables import SCHEMA_VERSION, Table

log = logging.getLogger(__name__)

# Any Delta reader can read these tables: neither deletion vectors nor column mapping.
_PROPERTIES = {
    "delta.enableChangeDataFeed": "true",
    "delta.enableDeletionVectors": "false",
    "delta.columnMapping.mode": "none",
}


def create_or_check(path: str, table: Table) -> None:
    """Create the table, with its comments and checks, or see that it is ours and has them.

    Raises:
        FashionrecError: the folder holds something else, or a table that is too old or too new.
    """
    if deltalake.DeltaTable.is_deltatable(path):
        _check_columns(path, table)
    elif Path(path).exists() and any(Path(path).iterdir()):
        raise FashionrecError(
            f"{path}: is not a Delta table, so this is no warehouse of ours: give another folder "
            "with --warehouse"
        )
    else:
        _create(path, table)
    _bring_up_to_date(path, table)


def _create(path: str, table: Table) -> None:
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
    found = [field.name for field in open_table(path).schema().fields]
    if found != table.names:
        raise FashionrecError(
            f"{path}: has the columns {found}, this version of fashionrec needs {table.names}: "
            "run nightly with another folder as --warehouse"
        )


def _bring_up_to_date(path: str, table: Table) -> None:
    """Add what the table lacks; the version last, so that one that was killed here begins again."""
    delta = open_table(path)
    found = delta.metadata().configuration
    checks = {name: rule for name, rule in table.checks if f"delta.constraints.{name}" not in found}
    if checks:
        _add_checks(delta, path, checks)
    if SCHEMA_PROPERTY not in found:
        log.debug("%s: gets table schema %d", path, SCHEMA_VERSION)
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
