"""The step `evaluate`: a model version beside the current one and two baselines, on unseen rows."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.dataset as ds

from fashionrec.config import Config, project_home
from fashionrec.embed.embed import embed
from fashionrec.embed.model import Model, load_model
from fashionrec.errors import FashionrecError
from fashionrec.evaluation.arrays import answers_of, catalogue_of, lists_by, vectors_of
from fashionrec.evaluation.classification import Answers
from fashionrec.evaluation.frames import colour_vectors
from fashionrec.evaluation.judge import Catalogue, Mask, judge_answers, judge_lists, slices_below
from fashionrec.evaluation.retrieval import random_lists
from fashionrec.model_settings import EvaluateSettings
from fashionrec.models import CURRENT, current_model
from fashionrec.neighbours.lists import Ints
from fashionrec.runs import Run
from fashionrec.store import Store
from fashionrec.tables import TRAINING_SET
from fashionrec.training.version import products_seen, table_version


@dataclass(frozen=True)
class Rows:
    """The catalogue, and which of its products no training saw, and which of these validate."""

    catalogue: Catalogue
    unseen: Mask
    validation: Mask

    @property
    def counts(self) -> dict[str, int]:
        """How many there are of each."""
        masks = {"unseen": self.unseen, "validation": self.validation}
        return {"pictured": len(self.unseen), **{k: int(m.sum()) for k, m in masks.items()}}


@dataclass(frozen=True)
class Evaluation:
    """Everything that a report shows."""

    candidate: Model
    current: Model
    rows: Rows
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
    rows = _rows(store, candidate, current)
    models = {model.version: model for model in (candidate, current)}
    for model in models.values():  # the current one last: nights then find all as they left it
        embed(store, model, config.embed, run)
    run.model_version = candidate.version
    answers = {name: answers_of(store, name, rows.catalogue) for name in models}
    lists = _lists(store, models, rows.catalogue, config.evaluate)
    figures = _figures(rows, models, answers, lists, config.evaluate)
    for warning in figures["warnings"]:
        run.warn("evaluate", warning)
    mine = candidate.version
    return Evaluation(candidate, current, rows, answers[mine], lists[mine], figures)


def _figures(
    rows: Rows,
    models: dict[str, Model],
    answers: dict[str, Answers],
    lists: dict[str, Ints],
    settings: EvaluateSettings,
) -> dict[str, Any]:
    candidate, current = [*models, *models][:2]
    retrieval = {
        name: judge_lists(found, rows.catalogue, rows.unseen, settings)
        for name, found in lists.items()
    }
    return {
        "model_version": candidate,
        "current_version": current,
        "rows": rows.counts,
        "k": settings.k,
        "classification": {
            name: _classification(answers[name], rows, model, settings)
            for name, model in models.items()
            if model.classes
        },
        "retrieval": retrieval,
        "warnings": slices_below(retrieval[candidate], settings),
    }


def _classification(
    answers: Answers, rows: Rows, model: Model, settings: EvaluateSettings
) -> dict[str, Any]:
    strangers = rows.unseen & ~np.isin(answers.truth, model.classes)
    return judge_answers(
        answers.take(rows.validation), answers.take(strangers), model.threshold, settings
    )


def evaluate_wanted(
    store: Store, wanted: str | None, config: Config, run: Run, *, alone: bool = False
) -> Evaluation:
    """Judge the model of a folder, or the current one where none is wanted.

    `alone` leaves the current model out: what only its training saw is then judged as well.
    """
    if wanted is None:
        candidate = current_model(store, CURRENT)
    else:
        candidate = load_model(_below_home(wanted), project_home())
    current = candidate if alone else current_model(store, CURRENT)
    return evaluate(store, candidate, current, config, run)


def _below_home(folder: str) -> str:
    """Return a folder given on the command line as the table `models` keeps it."""
    path = Path(folder).absolute()
    home = project_home()
    return str(path.relative_to(home) if path.is_relative_to(home) else path)


def _rows(store: Store, candidate: Model, current: Model) -> Rows:
    catalogue = catalogue_of(store)
    unseen = _unseen(catalogue, [candidate, current])
    validation = unseen & _validates(store, candidate, current, catalogue)
    if not validation.any():
        raise FashionrecError(
            f"evaluate: {candidate.version} and {current.version} have no validation row that "
            "neither was trained on: train by another split, or from scratch"
        )
    return Rows(catalogue, unseen, validation)


def _unseen(catalogue: Catalogue, models: list[Model]) -> Mask:
    """Say which products no model's training saw."""
    seen = set().union(*(products_seen(project_home() / model.source) for model in models))
    return ~np.isin(catalogue.ids, np.fromiter(seen, np.int64, len(seen)))


def _validates(store: Store, candidate: Model, current: Model, catalogue: Catalogue) -> Mask:
    """Say which products the candidate was validated on; where unknown, those of its classes."""
    version = table_version(project_home() / candidate.source, store.path(TRAINING_SET))
    if version is None:
        types = catalogue.columns["article_type"].astype(str)
        classes = candidate.classes or current.classes
        return np.isin(types, classes) if classes else np.full(len(types), True)
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
