"""Pictures whose results are easy to predict: the product's id is the shade."""

import io
from pathlib import Path

from PIL import Image
from pyspark.sql import DataFrame, SparkSession


def picture(grey: int) -> bytes:
    """Return one pixel of a shade."""
    buffer = io.BytesIO()
    Image.new("RGB", (1, 1), (grey, grey, grey)).save(buffer, "PNG")
    return buffer.getvalue()


def pictures(spark: SparkSession, partitions: int = 1, corrupt: int = -1) -> DataFrame:
    """Return twenty pictures, and let workers import the networks for them."""
    spark.sparkContext.addPyFile(str(Path(__file__).parent / "fakes.py"))
    rows = [(i, f"sha {i}", b"no picture" if i == corrupt else picture(i)) for i in range(20)]
    schema = "product_id BIGINT, image_sha256 STRING, content BINARY"
    return spark.createDataFrame(rows, schema).repartitionByRange(partitions, "product_id")
