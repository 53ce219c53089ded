"""SQL over the tables in DuckDB: their Parquet files are read where they lie."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from glob import escape
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
from upath import UPath

from fashionrec import views
from fashionrec.errors import FashionrecError
from fashionrec.tables import Table
from fashionrec.views import View

if TYPE_CHECKING:
    from fashionrec.snapshot import Snapshot

_DESCRIBE = re.compile(r"\s*DESC(?:RIBE)?\s+(\w+)\s*;?\s*", re.IGNORECASE)
_COLUMNS = """
    SELECT column_name AS col_name, data_type, comment FROM duckdb_columns()
    WHERE table_name = lower(?) ORDER BY column_index
"""


def connect(snapshot: Snapshot) -> duckdb.DuckDBPyConnection:
    """Return a connection in which each table, and each of `views`, is there under its name.

    A table that can no longer be read says so when it is queried. Cursors of the connection may be
    used by several threads.
    """
    connection = duckdb.connect()
    if isinstance(snapshot.warehouse, UPath):
        connection.register_filesystem(snapshot.warehouse.fs)
    connection.execute("SET TimeZone = 'UTC'; SET parquet_metadata_cache = true")
    for table in snapshot.present:
        columns = {column.name: column.comment for column in table.columns}
        query = _rows(connection, snapshot, table)
        _create(connection, View(table.name, table.comment, columns, query))
    for view in views.ALL:
        with suppress(duckdb.CatalogException):  # an older warehouse lacks a table that it reads
            _create(connection, view)
    return connection


def engine(snapshot: Snapshot) -> Callable[[str], pa.RecordBatchReader]:
    """Return a function that answers a statement.

    It raises FashionrecError with the reason where DuckDB cannot.
    """
    connection = connect(snapshot)

    def query(text: str) -> pa.RecordBatchReader:
        try:
            result = _described(connection, text) or connection.sql(text)
            nothing = pa.RecordBatchReader.from_batches(pa.schema([]), [])
            return nothing if result is None else result.to_arrow_reader()
        except duckdb.Error as error:
            raise FashionrecError(_explained(error, snapshot)) from error

    return query


def _described(connection: duckdb.DuckDBPyConnection, text: str) -> duckdb.DuckDBPyRelation | None:
    """Answer DESCRIBE NAME with the comments of the columns, which DuckDB's own leaves out."""
    name = _DESCRIBE.fullmatch(text)
    columns = connection.sql(_COLUMNS, params=[name[1]]) if name else None
    return columns if columns else None


def _explained(error: duckdb.Error, snapshot: Snapshot) -> str:
    """Return what DuckDB says, in one line; it goes on with hints and a picture of the query."""
    message = str(error).partition("\n\n")[0].replace("\n", "; ")
    if not isinstance(error, duckdb.CatalogException):
        return message
    names = [*(table.name for table in snapshot.present), *(view.name for view in views.ALL)]
    return f"{message}; the tables are {', '.join(names)}"


def _create(connection: duckdb.DuckDBPyConnection, view: View) -> None:
    connection.execute(f'CREATE VIEW "{view.name}" AS {view.query}')
    connection.execute(f'COMMENT ON VIEW "{view.name}" IS {_quote(view.comment)}')
    for column, comment in view.columns.items():
        connection.execute(f'COMMENT ON COLUMN "{view.name}"."{column}" IS {_quote(comment)}')


def _rows(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, table: Table) -> str:
    """Return the query that reads a table's files."""
    # The columns come first and on their own: a table without files has them too, and a file that
    # is older than a column gets nulls.
    none = connection.from_arrow(snapshot.schema(table).empty_table())
    columns = ", ".join(
        f'CAST(NULL AS {kind}) AS "{name}"'
        for name, kind in zip(none.columns, none.types, strict=True)
    )
    text = f"SELECT {columns} WHERE false"
    try:
        files = [_quote(escape(file)) for file in snapshot.files(table)]
    except FashionrecError as error:
        text = f"SELECT {columns} WHERE error({_quote(str(error))}) IS NULL"
    else:
        if files:
            rows = f"read_parquet([{', '.join(files)}], union_by_name = true)"
            text += f" UNION ALL BY NAME SELECT * FROM {rows}"
    return text


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
