"""How `training_set` lies in files: even portions, one row group each, in a random, fixed order.

petastorm gives whole row groups to the ranks of a training, so ranks have the same number of rows
only where row groups are even.
"""

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from fashionrec.model_settings import FinetuneSettings
from fashionrec.tables import TRAINING_SET

# Candidates per partition: enough that each one is hit, to all practical certainty.
_TRIES = 64


def with_portion(
    rows: DataFrame, counts: dict[str, int], settings: FinetuneSettings, ranks: int
) -> DataFrame:
    """Add `place` within the split, and `portion`: those of train first, then those of validation.

    Portions of a split differ by a row at most and their number is a multiple of `ranks`, so that
    the ranks' sums differ by a row at most as well.
    """
    per_round = ranks * settings.row_group
    portions = {split: ranks * -(-count // per_round) for split, count in counts.items()}
    order = Window.partitionBy("split").orderBy(
        F.xxhash64(F.lit(settings.seed), F.lit("place"), "product_id"), "product_id"
    )
    place = F.row_number().over(order) - 1
    train, validation = portions["train"], portions["validation"]
    portion = F.when(F.col("split") == "train", F.col("place") % train).otherwise(
        train + F.col("place") % validation
    )
    return rows.withColumn("place", place).withColumn("portion", portion)


def in_portions(rows: DataFrame) -> DataFrame:
    """Return the table's columns with one partition per portion, in order of portion and place."""
    portions = rows.agg(F.max("portion")).collect()[0][0] + 1
    address = _address(rows.sparkSession, portions)
    return (
        rows.repartition(portions, address)
        .sortWithinPartitions("place")
        .select(*TRAINING_SET.names)
    )


def _address(spark: SparkSession, portions: int) -> Column:
    """A number whose hash sends the row to the partition of its portion.

    Spark has no exact partitioner for DataFrames; range partitioning goes by a sample.
    """
    partition = F.pmod(F.hash("id"), F.lit(portions)).alias("partition")
    candidates = spark.range(_TRIES * portions).select("id", partition)
    found = candidates.groupBy("partition").agg(F.min("id").alias("id")).collect()
    numbers = {row["partition"]: row["id"] for row in found}
    keys = F.array(*(F.lit(numbers[i]).cast("bigint") for i in range(portions)))
    return F.element_at(keys, F.col("portion") + 1)
