import logging

import pytest
from pyspark import StatusTracker
from pyspark.sql import SparkSession

from fashionrec import progress
from fashionrec.pace import progress_line
from fashionrec.progress import followed


@pytest.mark.parametrize(
    ("finished", "line"),
    [
        (0, "0 of 2,000 images, 10 s so far"),
        (1_000, "1,000 of 2,000 images, 100 images/s, 10 s left"),
        (2_000, "2,000 of 2,000 images, 200 images/s, 0 s left"),
        (2_500, "2,000 of 2,000 images, 200 images/s, 0 s left"),  # tasks that ran twice
    ],
)
def test_progress_line(finished: int, line: str) -> None:
    assert progress_line(finished, 2_000, 10.0, "images") == line


def test_an_action_is_followed(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.2)
    monkeypatch.setattr(logging.getLogger("fashionrec"), "propagate", True)

    naps = spark.sparkContext.accumulator(0)

    def slow(batches):  # type: ignore[no-untyped-def]
        import time

        time.sleep(0.5)
        naps.add(1)
        yield from batches

    rows = spark.range(0, 4, 1, numPartitions=4)
    watched = followed(spark, "sleep", 8, "naps", lambda: naps.value)
    with caplog.at_level(logging.INFO), watched as costs:
        for _ in range(2):  # two actions, as of two portions
            assert rows.mapInArrow(slow, rows.schema).count() == 4
    lines = [record.message for record in caplog.records if "naps/s" in record.message]
    done = [int(line.split()[1]) for line in lines]
    assert done == sorted(done), lines
    assert 4 <= done[-1] <= 8
    assert costs.seconds["tasks"] > 8 * 0.5 * 0.8
    assert spark.sparkContext.getLocalProperty("spark.jobGroup.id") is None


def test_stages_that_spark_has_forgotten_cost_nothing(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StatusTracker, "getStageInfo", lambda _tracker, _stage: None)
    with followed(spark, "count", 1, "rows", lambda: 0) as costs:
        spark.range(1).count()
    assert costs.seconds == {"tasks": 0, "tasks_cpu": 0, "garbage_collection": 0}
