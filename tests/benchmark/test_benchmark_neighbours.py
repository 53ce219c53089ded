"""The benchmark at a small size: its figures are there and mean what they say."""

import json

import numpy as np
import pytest
from pyspark.sql import SparkSession

from conftest import RunJob
from fashionrec.benchmark.vectors import draw_vectors


def test_vectors_are_like_embeddings() -> None:
    vectors = draw_vectors(3000, 256, seed=0)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors.min() == 0
    scores = vectors @ vectors.T - 2 * np.eye(3000)
    assert 0.6 < np.median(scores.max(1)) < 0.999  # the nearest is near, and no duplicate
    assert np.median(scores) < 0.6


def test_the_last_line_is_json(
    spark: SparkSession, run_job: RunJob, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_job("benchmark", "neighbours", "--size", 600) == 0
    out = capfd.readouterr().out.splitlines()
    figures = json.loads(out[-1])
    assert {
        "n",
        "kernel_ratio",
        "step_ratio",
        "certified",
        "incremental_ratio",
        "recall_1m",
    } <= set(figures)
    assert (figures["n"], figures["certified"]) == (600, 1.0)
