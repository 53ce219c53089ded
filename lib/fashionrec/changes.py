"""By which rows a table differs from what it should hold."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from fashionrec.tables import Table

CHANGE = "_change"  # the column that says insert, update or delete


@dataclass(frozen=True)
class Written:
    """Rows that a write added, changed and removed."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0

    @property
    def total(self) -> int:
        """All rows that differ from before."""
        return self.inserted + self.updated + self.deleted


def changes(table: Table, old: DataFrame, new: DataFrame, compare: Sequence[str]) -> DataFrame:
    """Return the rows that make `old` into `new`, with a column `_change`.

    `new` need hold only the table's key and the columns to `compare`; further ones are carried
    along. Deleted rows have a key and nulls.
    """
    old = old.select(*table.key, *compare).alias("old")
    new = new.alias("new")
    same_key = _all(F.col(f"old.{k}") == F.col(f"new.{k}") for k in table.key)
    same_row = _all(_equal(column, table) for column in compare)
    change = (
        F.when(F.col(f"old.{table.key[0]}").isNull(), "insert")
        .when(F.col(f"new.{table.key[0]}").isNull(), "delete")
        .when(~same_row, "update")
    )
    keys = [F.coalesce(f"new.{k}", f"old.{k}").alias(k) for k in table.key]
    others = [F.col(f"new.{c}") for c in new.columns if c not in table.key]
    joined = new.join(old, on=same_key, how="full_outer")
    return joined.select(change.alias(CHANGE), *keys, *others).where(F.col(CHANGE).isNotNull())


def count_changes(changes: DataFrame) -> Written:
    """Count the rows of `changes` by kind."""
    counts = {row[0]: row[1] for row in changes.groupBy(CHANGE).count().collect()}
    return Written(*(counts.get(kind, 0) for kind in ("insert", "update", "delete")))


def exact(rows: DataFrame, table: Table) -> DataFrame:
    """Return `rows` with the table's columns in order.

    Raises:
        TypeError: names or types differ. `DataFrame.to` would silently fill nulls and cast.
    """
    found = {field.name: field.dataType.simpleString() for field in rows.schema.fields}
    wanted = {column.name: column.type.lower() for column in table.columns}
    if found != wanted:
        raise TypeError(f"{table.name} needs {wanted}; the rows have {found}")
    return rows.select(*table.names)


def _all(conditions: Iterable[Column]) -> Column:
    return reduce(lambda left, right: left & right, conditions)


def _equal(column: str, table: Table) -> Column:
    """Compare null-safely; Spark cannot compare maps, but their sorted entries."""
    old, new = F.col(f"old.{column}"), F.col(f"new.{column}")
    if next(c.type for c in table.columns if c.name == column).startswith("MAP"):
        old, new = F.sort_array(F.map_entries(old)), F.sort_array(F.map_entries(new))
    return old.eqNullSafe(new)
