"""The lifting into DataFrames, with networks that are easy to predict."""

import pytest
from fakes import FakeProgram
from greys import pictures
from pyspark.sql import DataFrame, Row, SparkSession

from fashionrec.embed.frames import encoded, send
from fashionrec.session import with_properties

SMALL_BATCHES = {"spark.sql.execution.arrow.maxRecordsPerBatch": "3"}


def run(rows: DataFrame, program: FakeProgram) -> list[Row]:
    sent = send(rows.sparkSession.sparkContext, program)
    results = sorted(encoded(rows, sent).collect(), key=lambda row: row.product_id)
    assert sent.finished.value == len(results) == 20
    assert sent.decode_seconds.value > 0
    return results


def test_each_picture_has_its_own_result(spark: SparkSession) -> None:
    for row in run(pictures(spark, partitions=3), FakeProgram("identity")):
        i = row.product_id
        assert (row.image_sha256, row.embedding, row.problem) == (f"sha {i}", [float(i)], None)
        assert (row.predicted_article_type, row.predicted_probability) == (f"grey {i}", 0.5)


def test_batches_are_filled_across_arrow_batches(spark: SparkSession) -> None:
    with with_properties(spark, SMALL_BATCHES):
        rows = run(pictures(spark), FakeProgram("batch size", batch_size=8))
    assert [row.embedding for row in rows] == [[8.0]] * 16 + [[4.0]] * 4


@pytest.mark.parametrize(
    ("kind", "corrupt", "problem"),
    [
        ("raises on 13", -1, "cannot be encoded: 13 is unlucky"),
        ("identity", 13, "cannot be decoded: cannot identify image file"),
    ],
)
def test_one_bad_picture_costs_one_row(
    spark: SparkSession, kind: str, corrupt: int, problem: str
) -> None:
    rows = run(pictures(spark, corrupt=corrupt), FakeProgram(kind))
    bad = [row for row in rows if row.problem]
    assert [(row.product_id, row.embedding) for row in bad] == [(13, None)]
    assert bad[0].problem.startswith(problem)
    assert all(row.embedding == [float(row.product_id)] for row in rows if not row.problem)


def test_a_worker_loads_the_network_once(spark: SparkSession) -> None:
    for _ in range(2):
        rows = run(pictures(spark, partitions=8), FakeProgram("loads"))
        assert {row.embedding[0] for row in rows} == {1.0}


def test_threads_follow_the_cores_of_a_task(spark: SparkSession) -> None:
    free = {"spark.sql.legacy.setCommandRejectsSparkCoreConfs": "false"}
    with with_properties(spark, free), with_properties(spark, {"spark.task.cpus": "3"}):
        rows = run(pictures(spark), FakeProgram("threads"))
    assert {row.embedding[0] for row in rows} == {3.0}
    assert {row.embedding[0] for row in run(pictures(spark), FakeProgram("threads"))} == {1.0}
