"""SQL over the tables in DuckDB: their Parquet files are read where they lie."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from glob import escape
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeVar

import duckdb
import pyarrow as pa
from upath import UPath

from fashionrec import views
from fashionrec.errors import FashionrecError
from fashionrec.interrupts import interruptible
from fashionrec.paths import at
from fashionrec.tables import Table
from fashionrec.views import View

if TYPE_CHECKING:
    from pathlib import Path

    from fashionrec.read import TableReader
    from fashionrec.snapshot import Snapshot

Result = TypeVar("Result")

_DESCRIBE = re.compile(r"\s*DESC(?:RIBE)?\s+(\w+)\s*;?\s*", re.IGNORECASE)
_COLUMNS = """
    SELECT column_name AS col_name, data_type, comment FROM duckdb_columns()
    WHERE table_name = lower(?) ORDER BY column_index
"""
# Of a driver, whose memory is Spark's; more threads would need more of it.
_BOUNDS = "SET memory_limit = '1GB'; SET threads = 4"

_URL = re.compile(r"File (\S+://\S+) requires the extension")
# Object stores are read through fsspec: no query needs more of DuckDB than is installed.
_NO_DOWNLOADS = "SET autoinstall_known_extensions = false; SET autoload_known_extensions = false"


def connect(snapshot: Snapshot) -> duckdb.DuckDBPyConnection:
    """Return a connection in which each table, and each of `views`, is there under its name.

    A table that can no longer be read says so when it is queried. Cursors of the connection may be
    used by several threads.
    """
    connection = _open(snapshot.warehouse)
    connection.execute("SET parquet_metadata_cache = true")
    for table in snapshot.present:
        _create_rows(connection, snapshot, table)
    for view in views.ALL:
        with suppress(duckdb.CatalogException):  # an older warehouse lacks a table that it reads
            _create(connection, view)
    return connection


@contextmanager
def questions(reader: TableReader, *tables: Table) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a connection in which tables are there under their names, to ask of all their rows.

    What does not fit into its memory is on disk meanwhile. A table that is not there yet has no
    rows, and no columns of lists and maps.
    """
    with TemporaryDirectory(prefix="fashionrec-") as folder, _open(at(reader.warehouse)) as found:
        found.execute(f"SET temp_directory = {_quote(folder)}; {_BOUNDS}")
        for table in tables:
            columns = ", ".join(
                f'CAST(NULL AS {column.type}) AS "{column.name}"'
                for column in table.columns
                if "<" not in column.type
            )
            files = reader.files(table) if reader.exists(table) else []
            found.execute(f'CREATE VIEW "{table.name}" AS {_select(columns, files)}')
        yield found


def engine(snapshot: Snapshot) -> Callable[[str], pa.RecordBatchReader]:
    """Return a function that answers a statement; see `answering`."""
    return answering(connect(snapshot), snapshot)


def answering(
    connection: duckdb.DuckDBPyConnection, snapshot: Snapshot
) -> Callable[[str], pa.RecordBatchReader]:
    """Return a function that answers a statement on a connection, unless Ctrl-C ends it.

    It, and the reader that it returns, raise FashionrecError with the reason where DuckDB cannot.
    """
    run = interruptible(connection)

    def ask(work: Callable[[], Result]) -> Result:
        try:
            return run(work)
        except (duckdb.Error, OSError, pa.ArrowException) as error:
            raise FashionrecError(_explained(error, snapshot)) from error

    def batches(result: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        while (batch := ask(lambda: next(result, None))) is not None:
            yield batch

    def query(text: str) -> pa.RecordBatchReader:
        result = ask(lambda: _answered(connection, text))
        return pa.RecordBatchReader.from_batches(result.schema, batches(result))

    return query


def _answered(connection: duckdb.DuckDBPyConnection, text: str) -> pa.RecordBatchReader:
    kinds = [each.expected_result_type for each in connection.extract_statements(text)]
    result = _described(connection, text) or connection.sql(text)
    if result is None or kinds == [[duckdb.ExpectedResultType.NOTHING]]:  # which has a column
        return pa.RecordBatchReader.from_batches(pa.schema([]), [])
    return result.to_arrow_reader()


def _described(connection: duckdb.DuckDBPyConnection, text: str) -> duckdb.DuckDBPyRelation | None:
    """Answer DESCRIBE NAME with the comments of the columns, which DuckDB's own leaves out."""
    name = _DESCRIBE.fullmatch(text)
    columns = connection.sql(_COLUMNS, params=[name[1]]) if name else None
    return columns if columns else None


def _explained(error: Exception, snapshot: Snapshot) -> str:
    """Return what DuckDB says, and the tables that there are where it finds none."""
    url = _URL.match(str(error))
    if url:
        return f"{url[1]}: no query fetches a URL: download it, and give the path of the file"
    if not isinstance(error, duckdb.CatalogException):
        return _said(error)
    names = [*(table.name for table in snapshot.present), *(view.name for view in views.ALL)]
    return f"{_said(error)}; the tables are {', '.join(names)}"


def _said(error: Exception) -> str:
    """Return what DuckDB says in one line; it goes on with hints and a picture of the query."""
    message = str(error).partition("\n\n")[0].strip().replace("\n", "; ")
    return message.removeprefix("Invalid Input Error: ")  # nothing that a person has put in


def _create(connection: duckdb.DuckDBPyConnection, view: View) -> None:
    connection.execute(f'CREATE VIEW "{view.name}" AS {view.query}')
    connection.execute(f'COMMENT ON VIEW "{view.name}" IS {_quote(view.comment)}')
    for column, comment in view.columns.items():
        connection.execute(f'COMMENT ON COLUMN "{view.name}"."{column}" IS {_quote(comment)}')


def _create_rows(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, table: Table) -> None:
    """Make a view of a table's rows; where its files cannot be read, one that says why."""
    # The columns come first and on their own: a table without files has them too, and a file that
    # is older than a column gets nulls.
    none = connection.from_arrow(snapshot.schema(table).empty_table())
    columns = ", ".join(
        f'CAST(NULL AS {kind}) AS "{name}"'
        for name, kind in zip(none.columns, none.types, strict=True)
    )
    comments = {column.name: column.comment for column in table.columns}
    files: list[str] = []
    try:
        files = snapshot.files(table)
        query = _select(columns, files)
        _create(connection, View(table.name, table.comment, comments, query))
    except (FashionrecError, duckdb.Error) as error:
        reason = _quote(_damage(connection, files) or _said(error))
        query = f"SELECT {columns} WHERE error({reason}) IS NULL"
        _create(connection, View(table.name, table.comment, comments, query))


def _damage(connection: duckdb.DuckDBPyConnection, files: Sequence[str]) -> str | None:
    """Return which of some files has no readable end, where Parquet says what it holds."""
    for file in files:
        try:
            connection.execute(f"FROM parquet_schema({_quote(escape(file))})")
        except duckdb.Error as error:
            return f"{file}: is damaged: restore it from a copy ({_said(error)})"
    return None


def _select(columns: str, files: Sequence[str]) -> str:
    text = f"SELECT {columns} WHERE false"
    if files:
        names = ", ".join(_quote(escape(file)) for file in files)
        text += f" UNION ALL BY NAME SELECT * FROM read_parquet([{names}], union_by_name = true)"
    return text


def _open(warehouse: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    if isinstance(warehouse, UPath):
        connection.register_filesystem(warehouse.fs)
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(_NO_DOWNLOADS)
    return connection


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
