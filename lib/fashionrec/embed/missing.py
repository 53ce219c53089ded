"""Which pictures lack an embedding: joins on the keys, never a scan of the pictures' bytes."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from pyspark.sql import DataFrame, Row, Window
from pyspark.sql import functions as F

from fashionrec.paths import absolute, at, escape, remove_if_there
from fashionrec.store import Store
from fashionrec.tables import EMBEDDINGS, IMAGES

_FOLDER = "_unseen"  # below the warehouse


def pictures(store: Store) -> DataFrame:
    """Return product_id and image_sha256 of every picture."""
    return store.read(IMAGES).select("product_id", F.col("sha256").alias("image_sha256"))


def embedded(store: Store, model_version: str) -> DataFrame:
    """Return the rows of one model version."""
    return store.read(EMBEDDINGS).where(F.col("model_version") == model_version)


def missing(store: Store, model_version: str) -> DataFrame:
    """Return product_id and image_sha256 of the pictures without a row."""
    done = embedded(store, model_version).select("product_id", "image_sha256")
    return pictures(store).join(done, on=["product_id", "image_sha256"], how="left_anti")


def unseen(store: Store, model_version: str) -> DataFrame:
    """Return the distinct pictures that no row is of, under the lowest of their products."""
    done = embedded(store, model_version).select("image_sha256")
    rows = pictures(store).join(done, on="image_sha256", how="left_anti")
    return rows.groupBy("image_sha256").agg(F.min("product_id").alias("product_id"))


def stale(store: Store) -> DataFrame:
    """Return the keys of rows whose product no longer has that picture, under any version."""
    rows = store.read(EMBEDDINGS).select(*EMBEDDINGS.key, "image_sha256")
    gone = rows.join(pictures(store), on=["product_id", "image_sha256"], how="left_anti")
    return gone.select(*EMBEDDINGS.key)


def copies(store: Store, model_version: str) -> DataFrame:
    """Return product_id, image_sha256 and donor where a row has the missing picture already."""
    done = embedded(store, model_version)
    donors = done.groupBy("image_sha256").agg(F.min("product_id").alias("donor"))
    return missing(store, model_version).join(donors, on="image_sha256", how="inner")


def in_portions(rows: DataFrame, size: int) -> DataFrame:
    """Number portions of `size` pictures in rows of `unseen`, in the order of their ids."""
    place = F.row_number().over(Window.orderBy("product_id")) - 1
    return rows.withColumn("portion", F.floor(place / size))


def ranges(portions: DataFrame) -> list[Row]:
    """Return the portions as rows of portion, size, low and high, the first and last of its ids."""
    found = portions.groupBy("portion").agg(
        F.count("*").alias("size"),
        F.min("product_id").alias("low"),
        F.max("product_id").alias("high"),
    )
    return found.orderBy("portion").collect()


@contextmanager
def in_files(rows: DataFrame, warehouse: str) -> Iterator[DataFrame]:
    """Give rows as files below the warehouse, which then go; so do those of a killed run.

    Neither a cache of Spark's would do, as it outlives the next commit to a table that it is of,
    nor a local checkpoint, which an executor that is lost takes along.
    """
    folder = at(warehouse) / _FOLDER
    remove_if_there(folder)
    # Never a name that was there before: what Spark remembers of a file goes by its name.
    place = f"{absolute(folder)}/{uuid4()}"
    try:
        rows.write.parquet(place)
        yield rows.sparkSession.read.schema(rows.schema).parquet(escape(place))
    finally:
        remove_if_there(folder)
