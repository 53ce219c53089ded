"""Figures of neighbour lists, worked by hand."""

import numpy as np
import pytest
from scipy.stats import skew

from fashionrec.config import load
from fashionrec.evaluation.judge import Catalogue, judge_lists, slices_below
from fashionrec.evaluation.retrieval import (
    average_precision,
    estimate,
    kinds,
    precision,
    random_lists,
    reach,
    relevant,
    size_buckets,
)
from fashionrec.model_settings import EvaluateSettings

# Items 0 to 2 are of kind 0, items 3 and 4 of kind 1, item 5 alone in kind 2, item 6 of no kind.
KIND = np.array([0, 0, 0, 1, 1, 2, -1])
LISTS = np.array([[1, 3, 2], [3, 4, 0], [1, 0, -1], [4, 0, 1], [5, 6, 0], [0, 1, 2], [5, 0, 1]])


def settings(**changes: object) -> EvaluateSettings:
    return load().evaluate.model_copy(update=changes)


def texts(*values: object) -> np.ndarray:
    return np.array(values, dtype=object)


def test_precision_and_average_precision_by_hand() -> None:
    hits = relevant(LISTS, KIND)
    assert hits.astype(int).tolist() == [
        [1, 0, 1], [0, 0, 1], [1, 1, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]
    ]  # fmt: skip
    assert precision(hits) == pytest.approx([2 / 3, 1 / 3, 2 / 3, 1 / 3, 0, 0, 0])
    wanted = [(1 + 2 / 3) / 2, (1 / 3) / 2, 1, 1, 0, np.nan, np.nan]
    assert average_precision(hits, KIND) == pytest.approx(wanted, nan_ok=True)


def test_kinds_are_combinations_and_null_is_none() -> None:
    kind = kinds([texts("a", "a", "b", "a"), texts("x", "y", "x", None)])
    assert len(set(kind[:3])) == 3
    assert kind[3] == -1
    assert kinds([texts("a", "a")])[0] == kinds([texts("a", "a")])[1]


def test_reach_counts_who_is_recommended() -> None:
    found = reach(np.array([[1, 2], [2, 0], [1, 0], [1, 2]]), np.ones(4, bool))
    assert (found.coverage, found.never_recommended) == (0.75, 0.25)
    occurrences = np.array([2, 3, 3, 0])
    centred = occurrences - 2
    assert found.hubness == pytest.approx((centred**3).mean() / (centred**2).mean() ** 1.5)
    assert reach(np.array([[1], [0]]), np.ones(2, bool)).hubness == 0


def test_random_lists_hold_distinct_others() -> None:
    lists = random_lists(30, 5, seed=1)
    for own, row in enumerate(lists):
        assert len(set(row)) == 5
        assert own not in row
    assert set(lists.ravel()) == set(range(30))
    assert np.array_equal(lists, random_lists(30, 5, seed=1))
    assert random_lists(3, 5, seed=1).shape == (3, 2)


def test_the_interval_covers_the_mean() -> None:
    draw = np.random.default_rng(0)
    covered = 0
    for seed in range(60):
        found = estimate((draw.random(200) < 0.3).astype(float), 300, seed)
        assert found.low < found.value < found.high
        covered += found.low <= 0.3 <= found.high
    assert covered >= 52
    assert estimate(np.array([1.0, np.nan]), 10, 0).value == 1
    assert np.isnan(estimate(np.array([np.nan]), 10, 0).value)


def test_classes_are_sorted_by_size() -> None:
    kind = np.repeat([0, 1, 2], [10, 60, 300])
    assert [*size_buckets(kind)[[0, 10, 70]]] == ["below 50", "50 to 274", "275 and more"]


def test_a_slice_far_below_the_mean_is_named() -> None:
    count = 80
    types = texts(*(f"type {i % 2}" for i in range(count)))
    women = np.arange(count) < 20
    good = (np.arange(count)[:, None] + [2, 4, 6, 8, 10]) % 70  # ten items are listed nowhere
    bad = (np.arange(count)[:, None] + [1, 3, 5, 7, 9]) % 70
    lists = np.where(women[:, None], bad, good)
    catalogue = Catalogue(
        np.arange(count),
        {
            "article_type": types,
            "gender": np.where(women, "Women", "Men").astype(object),
            "base_colour": types,
            "usage": types,
            "master_category": types,
            "product_display_name": texts(*map(str, range(count))),
        },
    )
    some = settings(max_slice_gap=0.2, min_slice=10, resamples=20)
    figures = judge_lists(lists, catalogue, np.ones(count, bool), some)
    assert figures["precision"]["article type"]["value"] == pytest.approx(60 / 80)
    assert figures["share"]["same name"]["value"] == 0
    worst = figures["slices"][0]
    assert (worst["slice"], worst["queries"]) == ("Women", 20)
    assert worst["mAP"]["type and colour"]["value"] == 0
    occurrences = np.bincount(lists.ravel(), minlength=count)
    for slice_, inside in (("Women", women), ("Men", ~women)):
        part = next(part for part in figures["slices"] if part["slice"] == slice_)
        listed = np.isin(np.flatnonzero(inside), lists)
        assert part["coverage"] == pytest.approx(listed.mean())
        assert part["hubness"] == pytest.approx(skew(occurrences[inside]))
    warnings = slices_below(figures, some)
    assert [line.partition(":")[0] for line in warnings] == ["gender Women"]
    assert figures["worst_slice"]["slice"] == "Women"
    assert slices_below(figures, settings(max_slice_gap=0.2, min_slice=21)) == []
    few = settings(min_slice=21, resamples=20)
    worst = judge_lists(lists, catalogue, np.ones(count, bool), few)["worst_slice"]
    assert worst["queries"] >= 21
    only_men = judge_lists(lists, catalogue, ~women, some)
    assert only_men["precision"]["article type"]["value"] == 1
