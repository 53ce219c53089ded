"""The engines that answer SQL over the tables and views: DuckDB at once, Spark for its own SQL."""

from collections.abc import Callable

import pyarrow as pa

from fashionrec import duck
from fashionrec.snapshot import Snapshot

DUCKDB, SPARK = ENGINES = ("duckdb", "spark")

Query = Callable[[str], pa.RecordBatchReader]


def engine(name: str, snapshot: Snapshot) -> Query:
    """Return a function that answers a statement; it raises FashionrecError, with its reason."""
    if name == DUCKDB:
        return duck.engine(snapshot)
    # Spark is loaded, and a JVM started, only where it is asked for.
    from fashionrec.session import spark_session
    from fashionrec.sql import engine as spark_engine
    from fashionrec.store import Store

    return spark_engine(Store(spark_session("sql"), snapshot.warehouse), snapshot)
