"""The benchmark at a small size: its figures are there and mean what they say."""

import json

import numpy as np
import pytest
from pyspark.sql import SparkSession

from conftest import RunJob
from fashionrec.benchmark.inverted import time_inverted
from fashionrec.benchmark.report import Timings
from fashionrec.benchmark.vectors import draw_vectors
from fashionrec.config import load
from fashionrec.store import Store
from fashionrec.tables import EMBEDDINGS

DEFAULTS = load().neighbours


def test_vectors_are_like_embeddings() -> None:
    vectors = draw_vectors(3000, 256, seed=0)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors.min() == 0
    scores = vectors @ vectors.T - 2 * np.eye(3000)
    assert 0.6 < np.median(scores.max(1)) < 0.999  # the nearest is near, and no duplicate
    assert np.median(scores) < 0.6


def test_inverted_lists_have_a_recall() -> None:
    report = Timings()
    settings = DEFAULTS.model_copy(update={"lists": {"similar": DEFAULTS.lists["similar"]}})
    figures = time_inverted(report, settings, 3000, 64)
    assert (figures["n"], figures["recall_1m"]) == (3000, 1.0)  # there are fewer lists than probes
    figures = time_inverted(report, settings.model_copy(update={"probes": 4}), 3000, 64)
    assert 0.3 < figures["recall_1m"] < 0.99
    assert all(taken > 0 for taken in report.seconds.values())


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


def test_real_embeddings(night: Store, run_job: RunJob, capfd: pytest.CaptureFixture[str]) -> None:
    count = night.count(EMBEDDINGS)
    assert run_job("benchmark", "neighbours", "--real", "--warehouse", night.warehouse) == 0
    figures = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert figures["n"] == count * 100 // 101
    assert figures["recall_1m"] is None
