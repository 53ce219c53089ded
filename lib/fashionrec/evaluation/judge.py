"""All figures of a classifier's answers, and of a system's lists by slice as well. No Spark."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fashionrec.evaluation.classification import (
    Answers,
    accuracy,
    calibration,
    confused_pairs,
    coverage_accuracy,
    macro_accuracy,
    per_class,
    separation,
    share_reaching,
)
from fashionrec.evaluation.retrieval import (
    Floats,
    Texts,
    average_precision,
    estimate,
    kinds,
    precision,
    reach,
    relevant,
    size_buckets,
)
from fashionrec.model_settings import EvaluateSettings
from fashionrec.neighbours.lists import Ints

# When a neighbour is a good one: it has the product's value in all of these columns.
RELEVANCE = {
    "article type": ("article_type",),
    "type and gender": ("article_type", "gender"),
    "type and colour": ("article_type", "base_colour"),
    "type, colour and usage": ("article_type", "base_colour", "usage"),
}
_POINTS = 200  # of a curve
_PAIRS = 15  # of classes that are confused


Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Catalogue:
    """The products with a picture: their ids [m], ascending, and columns of `products` [m]."""

    ids: Ints
    columns: Mapping[str, Texts]

    def kind(self, *names: str) -> Ints:
        """Number the products' combinations of values."""
        return kinds([self.columns[name] for name in names])


Values = dict[str, dict[str, Floats]]


def judge_lists(
    lists: Ints, catalogue: Catalogue, queries: Mask, settings: EvaluateSettings
) -> dict[str, Any]:
    """Return figures of the lists of all products, over all and slice by slice.

    Precision, mAP and same names are those of `queries`.
    """
    values = _values(lists, catalogue)
    slices: list[dict[str, Any]] = []
    for by, labels in slice_labels(catalogue).items():
        for label in sorted({str(value) for value in labels[queries] if value is not None}):
            inside = labels == label
            part = _judged(lists, values, queries & inside, inside, settings)
            count = int((queries & inside).sum())
            slices.append({"by": by, "slice": label, "queries": count, **part})
    slices.sort(key=_main)
    telling = (part for part in slices if part["queries"] >= settings.min_slice)
    figures = _judged(lists, values, queries, np.full(len(queries), True), settings)
    return figures | {"slices": slices, "worst_slice": next(telling, None)}


def _values(lists: Ints, catalogue: Catalogue) -> Values:
    """Return each measure of each product's list, by what makes a neighbour a good one."""
    values: Values = {"precision": {}, "mAP": {}}
    for name, columns in RELEVANCE.items():
        kind = catalogue.kind(*columns)
        hits = relevant(lists, kind)
        values["precision"][name] = precision(hits)
        values["mAP"][name] = average_precision(hits, kind)
    same_name = precision(relevant(lists, catalogue.kind("product_display_name")))
    return values | {"share": {"same name": same_name}}


def _judged(
    lists: Ints, values: Values, queries: Mask, items: Mask, settings: EvaluateSettings
) -> dict[str, Any]:
    """Return means over `queries`, and how far all lists reach into `items`."""
    means = {
        measure: {name: _estimated(each[queries], settings) for name, each in by_name.items()}
        for measure, by_name in values.items()
    }
    return means | asdict(reach(lists, items))


def _main(figures: dict[str, Any]) -> float:
    """Return the figure that slices are compared by."""
    return float(figures["precision"]["article type"]["value"])


def judge_answers(
    rows: Answers, strangers: Answers, threshold: float | None, settings: EvaluateSettings
) -> dict[str, Any]:
    """Return figures of the answers to rows, and to rows of classes unknown to the model."""
    coverage, share, thresholds = coverage_accuracy(rows)
    shown = np.unique(np.linspace(0, len(coverage) - 1, _POINTS).astype(int))
    curve = {"coverage": coverage, "accuracy": share, "threshold": thresholds}
    bins, error = calibration(rows)
    accepted = rows.take(rows.probability >= (threshold or 0.0))
    return {
        "top1": _estimated(rows.right.astype(np.float64), settings),
        "macro": macro_accuracy(rows),
        "per_class": [asdict(each) for each in per_class(rows)],
        "confused": confused_pairs(rows, _PAIRS),
        "calibration": {"bins": bins, "error": error},
        "coverage_accuracy": {name: values[shown].tolist() for name, values in curve.items()},
        "threshold": threshold,
        "accepted": {
            "coverage": len(accepted.truth) / len(rows.truth),
            "top1": accuracy(accepted),
        },
        "unknown_classes": {
            "rows": len(strangers.truth),
            "separation": separation(rows.probability, strangers.probability),
            "accepted": share_reaching(strangers.probability, threshold or 0.0),
        },
    }


def slice_labels(catalogue: Catalogue) -> dict[str, Texts]:
    """Return the slice of each product, by what it is sliced."""
    columns = {name: catalogue.columns[name] for name in ("gender", "master_category")}
    return {**columns, "class size": size_buckets(catalogue.kind("article_type"))}


def slices_below(figures: dict[str, Any], settings: EvaluateSettings) -> list[str]:
    """Say which slices are more than the allowed gap below the mean."""
    mean = _main(figures)
    return [
        f"{part['by']} {part['slice']}: precision@k {_main(part):.3f} of {part['queries']} "
        f"queries, the mean is {mean:.3f}"
        for part in figures["slices"]
        if mean - _main(part) > settings.max_slice_gap and part["queries"] >= settings.min_slice
    ]


def _estimated(values: Floats, settings: EvaluateSettings) -> dict[str, float]:
    return asdict(estimate(values, settings.resamples, settings.seed))
