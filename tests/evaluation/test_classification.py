"""Figures of answers, against the definition worked by hand or by scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, precision_score, roc_auc_score

from fashionrec.evaluation.classification import (
    Answers,
    accuracy,
    calibration,
    confused_pairs,
    confusion,
    coverage_accuracy,
    macro_accuracy,
    per_class,
    separation,
    threshold_for,
)


def answers(*rows: tuple[str, str, float]) -> Answers:
    truth, predicted, probability = zip(*rows, strict=True)
    ids = np.arange(len(rows))
    return Answers(ids, np.array(truth), np.array(predicted), np.array(probability))


SIX = answers(
    ("a", "a", 0.9), ("a", "b", 0.4), ("a", "a", 0.8), ("b", "b", 0.8), ("b", "a", 0.3),
    ("c", "b", 0.6),
)  # fmt: skip


def random_answers(count: int) -> Answers:
    draw = np.random.default_rng(1)
    truth = draw.choice(["x", "y", "z"], count)
    said = np.where(draw.random(count) < 0.7, truth, draw.choice(["x", "y", "z"], count))
    sure = draw.random(count) * np.where(truth == said, 1, 0.7)
    return Answers(np.arange(count), truth, said, sure.round(2))


def test_top1_macro_and_per_class() -> None:
    assert accuracy(SIX) == pytest.approx(3 / 6)
    assert macro_accuracy(SIX) == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    told = [(c.name, c.rows, c.recall, c.precision) for c in per_class(SIX)]
    assert told == [("a", 3, 2 / 3, 2 / 3), ("b", 2, 1 / 2, 1 / 3), ("c", 1, 0, 0)]
    many = random_answers(500)
    assert macro_accuracy(many) == pytest.approx(
        balanced_accuracy_score(many.truth, many.predicted)
    )
    wanted = precision_score(many.truth, many.predicted, average=None)
    assert [c.precision for c in per_class(many)] == pytest.approx(list(wanted))


def test_confusions() -> None:
    assert confusion(SIX, ["a", "b", "c"]).tolist() == [[2, 1, 0], [1, 1, 0], [0, 1, 0]]
    assert confused_pairs(SIX, 2) == [("a", "b", 1), ("b", "a", 1)]


def test_the_threshold_accepts_as_many_as_the_target_allows() -> None:
    coverage, share, thresholds = coverage_accuracy(SIX)
    assert thresholds.tolist() == [0.9, 0.8, 0.6, 0.4, 0.3]
    assert coverage == pytest.approx([1 / 6, 3 / 6, 4 / 6, 5 / 6, 1])
    assert share == pytest.approx([1, 1, 3 / 4, 3 / 5, 3 / 6])
    assert threshold_for(SIX, 0.95) == 0.8
    assert threshold_for(SIX, 0.7) == 0.6
    assert threshold_for(SIX, 0.2) == 0.3
    assert threshold_for(answers(("a", "b", 0.9)), 0.5) is None


def test_accepted_answers_reach_the_target() -> None:
    many = random_answers(2000)
    lowest = threshold_for(many, 0.81)
    assert lowest is not None
    accepted = many.take(many.probability >= lowest)
    assert accuracy(accepted) >= 0.81
    for other in np.unique(many.probability[many.probability < lowest]):
        assert accuracy(many.take(many.probability >= other)) < 0.81


def test_calibration() -> None:
    bins, error = calibration(SIX, bins=2)
    assert bins == [(pytest.approx(0.35), 0.0, 2), (pytest.approx(0.775), 0.75, 4)]
    assert error == pytest.approx(0.35 * 2 / 6 + 0.025 * 4 / 6)


def test_separation_is_the_area_under_the_curve() -> None:
    draw = np.random.default_rng(3)
    known, unknown = draw.normal(1, 1, 300).round(1), draw.normal(0, 1, 200).round(1)
    labels = [1] * 300 + [0] * 200
    wanted = roc_auc_score(labels, np.concatenate([known, unknown]))
    assert separation(known, unknown) == pytest.approx(wanted)
