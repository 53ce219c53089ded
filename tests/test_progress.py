import logging

import pytest
from pyspark.sql import SparkSession

from fashionrec import progress
from fashionrec.pace import progress_line
from fashionrec.progress import followed


@pytest.mark.parametrize(
    ("share", "line"),
    [
        (0.0, "0 of 2,000 images, 10 s so far"),
        (0.5, "1,000 of 2,000 images, 100 images/s, 10 s left"),
        (1.0, "2,000 of 2,000 images, 200 images/s, 0 s left"),
    ],
)
def test_progress_line(share: float, line: str) -> None:
    assert progress_line(share, 2_000, 10.0, "images") == line


def test_an_action_is_followed(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.2)

    def slow(batches):  # type: ignore[no-untyped-def]
        import time

        time.sleep(0.5)
        yield from batches

    rows = spark.range(0, 8, 1, numPartitions=8)
    with caplog.at_level(logging.INFO), followed(spark, "sleep", 8, "naps") as costs:
        assert rows.mapInArrow(slow, rows.schema).count() == 8
    lines = [record.message for record in caplog.records]
    assert any("of 8 naps, " in line and "naps/s" in line for line in lines), lines
    assert costs.seconds["tasks"] > 8 * 0.5 * 0.8
    assert spark.sparkContext.getLocalProperty("spark.jobGroup.id") is None
