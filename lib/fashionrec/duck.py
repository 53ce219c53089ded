"""SQL over the tables in DuckDB: their Parquet files are read where they lie."""

from __future__ import annotations

from glob import escape
from typing import TYPE_CHECKING

import duckdb

from fashionrec import tables
from fashionrec.errors import FashionrecError
from fashionrec.tables import EMBEDDINGS, Table

if TYPE_CHECKING:
    from fashionrec.snapshot import Snapshot


def connect(snapshot: Snapshot) -> duckdb.DuckDBPyConnection:
    """Return a connection in which each table is a view of its own name, with its comments.

    A table that can no longer be read says so when it is queried. Cursors of the connection may be
    used by several threads.
    """
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'; SET parquet_metadata_cache = true")
    for table in tables.ALL:
        if table in snapshot.versions:
            _create_view(connection, snapshot, table)
    if EMBEDDINGS in snapshot.versions:
        without_vectors = "SELECT * EXCLUDE embedding FROM embeddings"
        connection.execute(f"CREATE VIEW predictions AS {without_vectors}")
    return connection


def _create_view(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, table: Table) -> None:
    # The columns come first and on their own: a table without files has them too, and a file that
    # is older than a column gets nulls.
    none = connection.from_arrow(snapshot.schema(table).empty_table())
    columns = ", ".join(
        f'CAST(NULL AS {kind}) AS "{name}"'
        for name, kind in zip(none.columns, none.types, strict=True)
    )
    text = f"SELECT {columns} WHERE false"
    try:
        files = [_quote(escape(str(file.absolute()))) for file in snapshot.files(table)]
    except FashionrecError as error:
        text = f"SELECT {columns} WHERE error({_quote(str(error))}) IS NULL"
    else:
        if files:
            rows = f"read_parquet([{', '.join(files)}], union_by_name = true)"
            text += f" UNION ALL BY NAME SELECT * FROM {rows}"
    connection.execute(f'CREATE VIEW "{table.name}" AS {text}')
    connection.execute(f'COMMENT ON VIEW "{table.name}" IS {_quote(table.comment)}')
    for column in table.columns:
        comment = _quote(column.comment)
        connection.execute(f'COMMENT ON COLUMN "{table.name}"."{column.name}" IS {comment}')


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
