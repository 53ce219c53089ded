"""The tables and views in Spark SQL, under their own names."""

from collections.abc import Callable
from contextlib import suppress
from urllib.parse import unquote

import pyarrow as pa
from py4j.protocol import Py4JJavaError
from pyspark.errors import AnalysisException, PySparkException

from fashionrec import views
from fashionrec.errors import FashionrecError, one_line
from fashionrec.paths import absolute
from fashionrec.snapshot import Snapshot
from fashionrec.store import Store
from fashionrec.views import View


def engine(store: Store, snapshot: Snapshot) -> Callable[[str], pa.RecordBatchReader]:
    """Return a function that answers a statement.

    It raises FashionrecError with the reason where Spark cannot.
    """
    names = register(store, snapshot)

    def query(text: str) -> pa.RecordBatchReader:
        try:
            return store.spark.sql(text).toArrow().to_reader()
        except AnalysisException as error:  # a ParseException is one
            condition = error.getMessage().splitlines()[0]
            raise FashionrecError(f"{condition}; the tables are {', '.join(names)}") from error
        except (PySparkException, Py4JJavaError) as error:
            raise FashionrecError(one_line(error)) from error

    return query


def register(store: Store, snapshot: Snapshot) -> list[str]:
    """Make a temporary view of each table and of each of `views`; return their names.

    Tables of a snapshot that was made for a run are read at the versions that it left.
    """
    names = []
    for table in filter(snapshot.versions.__contains__, snapshot.present):
        version = None if snapshot.run_id is None else snapshot.versions[table]
        store.read(table, version).createOrReplaceTempView(table.name)
        names.append(table.name)
    for view in views.ALL:
        with suppress(AnalysisException):  # an older warehouse lacks a table that it reads
            store.spark.sql(_create(view))
            names.append(view.name)
    return names


def create_tables(store: Store, schema: str) -> None:
    """Register the tables and views in a schema of the catalogue; the tables' files stay put.

    Raises:
        FashionrecError: there are no tables, or the schema has others of their names.
    """
    spark = store.spark
    spark.sql(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    for table in Snapshot(store.warehouse).present:
        name, path = f"{schema}.{table.name}", store.path(table)
        spark.sql(f"CREATE TABLE IF NOT EXISTS {name} USING delta LOCATION {_quote(path)}")
        (location,) = spark.sql(f"DESCRIBE DETAIL {name}").select("location").first() or ("",)
        if unquote(location).removeprefix("file:") != absolute(path):
            raise FashionrecError(f"{name} is another table, at {location}: see metastore.schema")
    spark.sql(f"USE {schema}")
    for view in views.ALL:
        with suppress(AnalysisException):
            spark.sql(_create(view, "VIEW"))


def _create(view: View, kind: str = "TEMPORARY VIEW") -> str:
    columns = ", ".join(f"{name} COMMENT {_quote(text)}" for name, text in view.columns.items())
    create = f"CREATE OR REPLACE {kind} {view.name} ({columns})"
    return f"{create} COMMENT {_quote(view.comment)} AS {view.query}"


def _quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
