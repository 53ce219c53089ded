"""The step `evaluate`: a model version beside the current one and two baselines, on unseen rows."""

import logging
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow.dataset as ds
from numpy.typing import NDArray

from fashionrec.config import Config, EvaluateSettings, project_home
from fashionrec.embed.embed import embed
from fashionrec.embed.model import Model
from fashionrec.errors import FashionrecError
from fashionrec.evaluation.arrays import answers_of, catalogue_of, lists_by, vectors_of
from fashionrec.evaluation.classification import (
    Answers,
    accuracy,
    calibration,
    confused_pairs,
    coverage_accuracy,
    macro_accuracy,
    per_class,
    separation,
)
from fashionrec.evaluation.frames import colour_vectors
from fashionrec.evaluation.judge import Catalogue, judge, slices_below
from fashionrec.evaluation.retrieval import Ints, estimate, random_lists
from fashionrec.runs import Run
from fashionrec.store import Store
from fashionrec.tables import TRAINING_SET
from fashionrec.training.version import products_seen, table_version

log = logging.getLogger(__name__)

Mask = NDArray[np.bool_]
_PAIRS = 15


@dataclass(frozen=True)
class Evaluation:
    """Everything that a report shows."""

    candidate: Model
    current: Model
    catalogue: Catalogue
    unseen: Mask
    validation: Mask
    answers: Answers
    lists: Ints
    figures: dict[str, Any]


def evaluate(
    store: Store, candidate: Model, current: Model, config: Config, run: Run
) -> Evaluation:
    """Judge `candidate` beside `current`, on rows that neither of them was trained on.

    Raises:
        FashionrecError: there are no such rows.
    """
    settings = config.evaluate
    models = {model.version: model for model in (current, candidate)}
    for model in models.values():
        embed(store, model, config.embed, run)
    catalogue = catalogue_of(store)
    unseen = _unseen(catalogue, list(models.values()))
    validation = unseen & _validates(store, candidate, catalogue)
    if not validation.any():
        raise FashionrecError(
            f"evaluate: {candidate.version} and {current.version} have no validation row that "
            "neither was trained on: train by another split, or from scratch"
        )
    answers = {name: answers_of(store, name, catalogue) for name in models}
    lists = _lists(store, models, catalogue, settings)
    figures: dict[str, Any] = {
        "model_version": candidate.version,
        "current_version": current.version,
        "rows": {"pictured": len(unseen), "unseen": int(unseen.sum()),
                 "validation": int(validation.sum())},
        "classification": {
            name: _classification(answers[name], validation, unseen, model, settings)
            for name, model in models.items() if model.classes
        },
        "retrieval": {name: judge(found, catalogue, unseen, settings)
                      for name, found in lists.items()},
    }  # fmt: skip
    figures["warnings"] = slices_below(figures["retrieval"][candidate.version], settings)
    for warning in figures["warnings"]:
        log.warning("evaluate: %s", warning)
    return Evaluation(
        candidate,
        current,
        catalogue,
        unseen,
        validation,
        answers[candidate.version],
        lists[candidate.version],
        figures,
    )


def _unseen(catalogue: Catalogue, models: list[Model]) -> Mask:
    """Say which products no model's training saw."""
    seen = set().union(*(products_seen(project_home() / model.source) for model in models))
    return ~np.isin(catalogue.ids, np.fromiter(seen, np.int64, len(seen)))


def _validates(store: Store, candidate: Model, catalogue: Catalogue) -> Mask:
    """Say which products the candidate was validated on; where unknown, those of its classes."""
    version = table_version(project_home() / candidate.source, store.path(TRAINING_SET))
    if version is None:
        return np.isin(catalogue.columns["article_type"].astype(str), candidate.classes)
    rows = store.scan(
        TRAINING_SET, ["product_id"], ds.field("split") == "validation", version
    ).to_table()
    return np.isin(catalogue.ids, rows["product_id"].to_numpy())


def _lists(
    store: Store, models: dict[str, Model], catalogue: Catalogue, settings: EvaluateSettings
) -> dict[str, Ints]:
    """Return the lists of all products by each system, the baselines last."""
    ids, k = catalogue.ids, settings.k
    by_models = {name: lists_by(vectors_of(store, name, ids), ids, k) for name in models}
    return by_models | {
        "colour histogram": lists_by(colour_vectors(store, ids), ids, k),
        "random": random_lists(len(ids), k, settings.seed),
    }


def _classification(
    answers: Answers, validation: Mask, unseen: Mask, model: Model, settings: EvaluateSettings
) -> dict[str, Any]:
    rows = answers.take(validation)
    coverage, share, thresholds = coverage_accuracy(rows)
    bins, error = calibration(rows)
    some = np.unique(np.linspace(0, len(coverage) - 1, 200).astype(int))
    strangers = answers.take(unseen & ~np.isin(answers.truth, model.classes))
    accepted = rows.take(rows.probability >= (model.threshold or 0.0))
    return {
        "top1": asdict(estimate(rows.right.astype(np.float64), settings.resamples, settings.seed)),
        "macro": macro_accuracy(rows),
        "per_class": [asdict(each) for each in per_class(rows)],
        "confused": confused_pairs(rows, _PAIRS),
        "calibration": {"bins": bins, "error": error},
        "coverage_accuracy": {
            "coverage": coverage[some].tolist(),
            "accuracy": share[some].tolist(),
            "threshold": thresholds[some].tolist(),
        },
        "threshold": model.threshold,
        "accepted": {"coverage": len(accepted.truth) / len(rows.truth), "top1": _top1(accepted)},
        "unknown_classes": {
            "rows": len(strangers.truth),
            "separation": separation(rows.probability, strangers.probability)
            if len(strangers.truth)
            else None,
            "accepted": float((strangers.probability >= (model.threshold or 0.0)).mean())
            if len(strangers.truth)
            else None,
        },
    }


def _top1(answers: Answers) -> float | None:
    return accuracy(answers) if len(answers.truth) else None
