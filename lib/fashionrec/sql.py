"""The tables and views in Spark SQL, under their own names."""

from contextlib import suppress

from pyspark.errors import AnalysisException

from fashionrec import views
from fashionrec.snapshot import Snapshot
from fashionrec.store import Store
from fashionrec.views import View


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


def _create(view: View) -> str:
    columns = ", ".join(f"{name} COMMENT {_quote(text)}" for name, text in view.columns.items())
    create = f"CREATE OR REPLACE TEMPORARY VIEW {view.name} ({columns})"
    return f"{create} COMMENT {_quote(view.comment)} AS {view.query}"


def _quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
