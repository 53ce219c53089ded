"""The tables in Spark SQL, under their own names."""

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame

from fashionrec import tables
from fashionrec.errors import FashionrecError
from fashionrec.store import Store


def register_tables(store: Store) -> list[str]:
    """Make a temporary view of each table that exists, and return their names.

    `predictions` is `embeddings` without the vectors.
    """
    names = []
    for table in tables.ALL:
        if store.exists(table):
            store.read(table).createOrReplaceTempView(table.name)
            names.append(table.name)
    if tables.EMBEDDINGS.name in names:
        store.read(tables.EMBEDDINGS).drop("embedding").createOrReplaceTempView("predictions")
        names.append("predictions")
    return names


def query(store: Store, text: str) -> DataFrame:
    """Return the result of a SQL query over the tables.

    Raises:
        FashionrecError: there are no tables, or Spark cannot make sense of the query.
    """
    names = register_tables(store)
    if not names:
        raise FashionrecError(f"{store.warehouse}: holds no tables yet: run nightly first")
    try:
        return store.spark.sql(text)
    except AnalysisException as error:  # a ParseException is one
        condition = error.getMessage().splitlines()[0]
        raise FashionrecError(f"{condition}; the tables are {', '.join(names)}") from error
