"""The Spark session of a job."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import pyarrow as pa
from pyspark.sql import SparkSession

from fashionrec.errors import FashionrecError

# What the code cannot do without; conf/spark-defaults.conf only tunes.
_PROPERTIES = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # Rows that come from the driver would stand in every plan, and be compared with each look-up
    # of what is cached: ingest then takes twice as long.
    "spark.sql.execution.arrow.localRelationThreshold": "0",
}


def spark_session(job: str) -> SparkSession:
    """Return a session with Delta, made by spark-submit or running already.

    Raises:
        FashionrecError: Delta's jars are not on Spark's class path.
    """
    # pyspark logs the whole trace of a wrong statement on stderr; whoever gave it is told a line.
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)
    builder = SparkSession.builder.appName(f"fashionrec {job}")
    for name, value in (_PROPERTIES | _object_store()).items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    try:
        spark._jvm.java.lang.Class.forName(  # type: ignore[union-attr]
            "io.delta.sql.DeltaSparkSessionExtension",
            False,
            spark._jvm.java.lang.Thread.currentThread().getContextClassLoader(),  # type: ignore[union-attr]
        )
    except Exception as error:  # py4j wraps Java's ClassNotFoundException
        raise FashionrecError(
            "Delta Lake is not on Spark's class path: run the job with ./spark-submit.sh, or give "
            "spark-submit --packages io.delta:delta-spark_2.13:4.0.1"
        ) from error
    return spark


def _object_store() -> dict[str, str]:
    """Let Hadoop find the S3 endpoint where every other client does; not the credentials."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    if not endpoint:
        return {}
    names = {"endpoint": endpoint, "path.style.access": "true"}
    return {f"spark.hadoop.fs.s3a.{name}": value for name, value in names.items()}


def in_one_task(spark: SparkSession, work: Callable[[], object]) -> str:
    """Run a function where tasks run, which need not be this machine; return its result as text."""

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for _ in batches:
            yield pa.RecordBatch.from_pydict({"text": [str(work())]})

    one = spark.range(0, 1, 1, numPartitions=1)
    return str(one.mapInArrow(run, "text STRING").collect()[0][0])


@contextmanager
def with_properties(spark: SparkSession, properties: Mapping[str, str]) -> Iterator[None]:
    """Let properties of the session hold for what is inside."""
    before = {name: spark.conf.get(name, None) for name in properties}
    for name, value in properties.items():
        spark.conf.set(name, value)
    try:
        yield
    finally:
        for name, value_before in before.items():
            if value_before is None:
                spark.conf.unset(name)
            else:
                spark.conf.set(name, value_before)
