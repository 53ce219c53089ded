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
from fashionrec.neighbours.lists import Ints
from fashionrec.settings import EvaluateSettings

# When a neighbour is a good one: it has the product's value in all of these columns.
RELEVANCE = {
    "article type": ("article_type",),
    "type and gender": ("article_type", "gender"),
    "type and colour": ("article_type", "base_colour"),
    "type, colour and usage": ("article_type", "base_colour", "usage"),
}
_POINTS = 200  # of a curve
_PAIRS = 15  # of classes that are confused


@dataclass(frozen=True)
class Catalogue:
    """The products with a picture: their ids [m], ascending, and columns of `products` [m]."""

    ids: Ints
    columns: Mapping[str, Texts]

    def kind(self, *names: str) -> Ints:
        """Number the products' combinations of values."""
        return kinds([self.columns[name] for name in names])


def judge_lists(
    lists: Ints, catalogue: Catalogue, queries: NDArray[np.bool_], settings: EvaluateSettings
) -> dict[str, Any]:
    """Return figures of the lists of all products; precision and mAP are those of `queries`."""
    figures: dict[str, Any] = {"precision": {}, "mAP": {}}
    for name, columns in RELEVANCE.items():
        kind = catalogue.kind(*columns)
        hits = relevant(lists, kind)
        told = {"precision": precision(hits), "mAP": average_precision(hits, kind)}
        for measure, values in told.items():
            figures[measure][name] = _estimated(values[queries], settings)
    same_name = precision(relevant(lists, catalogue.kind("product_display_name")))
    figures["same name"] = _estimated(same_name[queries], settings)
    figures |= asdict(reach(lists))
    by_type = precision(relevant(lists, catalogue.kind("article_type")))
    slices = _slices(by_type, catalogue, queries, settings)
    telling = (part for part in slices if part["queries"] >= settings.min_slice)
    return figures | {"slices": slices, "worst_slice": next(telling, None)}


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


def _slices(
    values: Floats, catalogue: Catalogue, queries: NDArray[np.bool_], settings: EvaluateSettings
) -> list[dict[str, Any]]:
    """Return precision for article type in each slice of the queries, the worst first."""
    found = []
    for by, labels in slice_labels(catalogue).items():
        for label in sorted({str(value) for value in labels[queries] if value is not None}):
            inside = queries & (labels == label)
            part = {"by": by, "slice": label, "queries": int(inside.sum())}
            found.append(part | _estimated(values[inside], settings))
    return sorted(found, key=lambda each: each["value"])


def slice_labels(catalogue: Catalogue) -> dict[str, Texts]:
    """Return the slice of each product, by what it is sliced."""
    columns = {name: catalogue.columns[name] for name in ("gender", "master_category")}
    return {**columns, "class size": size_buckets(catalogue.kind("article_type"))}


def slices_below(figures: dict[str, Any], settings: EvaluateSettings) -> list[str]:
    """Say which slices are more than the allowed gap below the mean."""
    mean = figures["precision"]["article type"]["value"]
    return [
        f"{part['by']} {part['slice']}: precision@k {part['value']:.3f} of {part['queries']} "
        f"queries, the mean is {mean:.3f}"
        for part in figures["slices"]
        if mean - part["value"] > settings.max_slice_gap and part["queries"] >= settings.min_slice
    ]


def _estimated(values: Floats, settings: EvaluateSettings) -> dict[str, float]:
    return asdict(estimate(values, settings.resamples, settings.seed))
