"""Creating the tables of a warehouse, and knowing a folder that is none of ours."""

from pathlib import Path

import deltalake
from pyspark.sql.types import DataType, StructType

from fashionrec.errors import FashionrecError
from fashionrec.tables import Table

# Any Delta reader can read these tables: neither deletion vectors nor column mapping.
_PROPERTIES = {
    "delta.enableChangeDataFeed": "true",
    "delta.enableDeletionVectors": "false",
    "delta.columnMapping.mode": "none",
}


def create_or_check(path: str, table: Table) -> None:
    """Create the table, with its comments, or check that it is ours.

    Raises:
        FashionrecError: the folder holds something else.
    """
    if not is_ours(path, table):
        _create(path, table)


def is_ours(path: str, table: Table) -> bool:
    """Say whether the table has been created.

    Raises:
        FashionrecError: the folder holds something else.
    """
    if deltalake.DeltaTable.is_deltatable(path):
        _check_columns(path, table)
        return True
    if Path(path).exists() and any(Path(path).iterdir()):
        raise FashionrecError(
            f"{path}: is not a Delta table, so this is no warehouse of ours: give another folder "
            "with --warehouse"
        )
    return False


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
    found = [field.name for field in deltalake.DeltaTable(path).schema().fields]
    if found != table.names:
        raise FashionrecError(
            f"{path}: has the columns {found}, this version of fashionrec needs {table.names}: "
            "give another folder with --warehouse"
        )
