"""What is written of a finished training: the model version, with its figures and pictures."""

import csv
import io
import logging
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.dataset as ds
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fashionrec.config import Config, project_home, resolve
from fashionrec.embed.model import Model
from fashionrec.evaluation.classification import (
    Answers,
    accuracy,
    confusion,
    macro_accuracy,
    per_class,
    threshold_for,
)
from fashionrec.evaluation.plots import Captioned, confusion_matrix, gallery, training_curves
from fashionrec.evaluation.predictions import predictions
from fashionrec.runs import Run
from fashionrec.settings import EmbedSettings
from fashionrec.store import Store
from fashionrec.tables import TRAINING_SET
from fashionrec.training.card import readme
from fashionrec.training.checkpoint import Checkpoints, Progress, Tensors, read_tensors
from fashionrec.training.classifier import Classifier
from fashionrec.training.plan import Plan, start_of
from fashionrec.training.rank import INITIAL
from fashionrec.training.state import BEST, part_of
from fashionrec.training.version import as_model, products_seen, write_version

log = logging.getLogger(__name__)

_EXAMPLES = 8
_FEWEST = 50  # validation rows that tell something


def record_version(store: Store, config: Config, plan: Plan, folder: Path, run: Run) -> Path:
    """Write the model version of a finished training and return its folder."""
    checkpoints = Checkpoints(folder)
    progress = checkpoints.progress()
    model = _model(plan, part_of(checkpoints.tensors(), BEST))
    rows = _rows(store, plan, "validation")
    earlier = products_seen(project_home() / plan.start) if plan.start else set()
    answers = honest(predictions(rows, model, config.embed), earlier, run)
    threshold = _threshold(answers, plan.settings.target_accuracy)
    metrics = _metrics(answers, threshold, progress)
    card = {
        "threshold": threshold,
        "metrics": metrics,
        "training": _training(store, plan, progress),
    }
    files = {
        "README.md": readme(plan, metrics, threshold, _counts(run)),
        "curves.png": training_curves(progress.history),
        "before_after.png": _before_after(rows, plan, folder, answers, config.embed),
        **answer_tables(answers, list(model.classes)),
    }
    run.count("record", validated=len(answers.truth), right=int(answers.right.sum()))
    return write_version(
        resolve(plan.settings.folder),
        plan.settings.name,
        model,
        card,
        earlier | _trained(store, plan),
        files,
    )


def _counts(run: Run) -> dict[str, int]:
    return {split: run.counts[f"finetune.{split}"] for split in ("train", "validation")}


def _model(plan: Plan, tensors: Tensors) -> Model:
    classifier = Classifier(plan.blueprint)
    classifier.load_state_dict(tensors)
    return as_model(plan.settings.name, classifier, plan.blueprint)


def _rows(store: Store, plan: Plan, split: str) -> DataFrame:
    return store.read(TRAINING_SET, plan.table_version).where(F.col("split") == split)


def honest(answers: Answers, earlier: set[int], run: Run) -> Answers:
    """Leave out what the start model was trained on, where enough is left to go by."""
    seen = np.isin(answers.product_ids, np.fromiter(earlier, np.int64, len(earlier)))
    if not seen.any():
        return answers
    enough = int((~seen).sum()) >= _FEWEST
    told = "figures and threshold are of the others" if enough else "figures and threshold flatter"
    run.warn(
        "finetune",
        f"the start model was trained on {seen.sum():,} of {len(seen):,} validation rows: {told}",
    )
    return answers.take(~seen) if enough else answers


def _threshold(answers: Answers, target: float) -> float:
    threshold = threshold_for(answers, target)
    if threshold is None:
        log.warning(
            "finetune: no threshold is %.0f%% accurate: no prediction is accepted", 100 * target
        )
    return 1.0 if threshold is None else threshold


def _metrics(answers: Answers, threshold: float, progress: Progress) -> dict[str, float]:
    accepted = answers.take(answers.probability >= threshold)
    best = progress.history[progress.best_epoch]
    return {
        "article_type_top1": accuracy(answers),
        "article_type_macro": macro_accuracy(answers),
        "coverage": len(accepted.truth) / len(answers.truth),
        "accepted_top1": accuracy(accepted) if len(accepted.truth) else 0.0,
        "validation_rows": len(answers.truth),
        "best_epoch": progress.best_epoch + 1,
        **{name: value for name, value in best.items() if name.endswith("_accuracy")},
    }


def _training(store: Store, plan: Plan, progress: Progress) -> dict[str, Any]:
    return {
        "table": {"path": store.path(TRAINING_SET), "version": plan.table_version},
        "start": {"path": plan.start, "model_version": plan.start_version},
        "processes": plan.ranks,
        "settings": plan.settings.model_dump(),
        "history": progress.history,
    }


def _trained(store: Store, plan: Plan) -> set[int]:
    where = ds.field("split") == "train"
    rows = store.scan(TRAINING_SET, ["product_id"], where, plan.table_version).to_table()
    return set(rows["product_id"].to_pylist())


def answer_tables(answers: Answers, classes: list[str]) -> dict[str, bytes]:
    """Return confusion matrix and per-class figures as files."""
    counts = confusion(answers, classes)
    figures = [asdict(each) for each in per_class(answers)]
    matrix = [[name, *row] for name, row in zip(classes, counts.tolist(), strict=True)]
    return {
        "confusion.png": confusion_matrix(counts, classes),
        "confusion.csv": _csv([["catalogued \\ predicted", *classes], *matrix]),
        "per_class.csv": _csv([list(figures[0]), *(list(each.values()) for each in figures)]),
    }


def _csv(rows: Iterable[Iterable[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _before_after(
    rows: DataFrame, plan: Plan, folder: Path, after: Answers, embed: EmbedSettings
) -> bytes:
    """Show the same products as they are predicted before and after: one of each of some types."""
    _, first = np.unique(after.truth, return_index=True)
    chosen = after.take(
        first[np.linspace(0, len(first) - 1, min(_EXAMPLES, len(first))).astype(int)]
    )
    wanted = rows.where(F.col("product_id").isin(chosen.product_ids.tolist()))
    pictures = {row["product_id"]: row["content"] for row in wanted.collect()}
    before = predictions(wanted, _before(plan, folder), embed)
    return gallery(
        [
            _captioned("before", before, pictures),
            _captioned("after", chosen.take(np.argsort(chosen.product_ids)), pictures),
        ]
    )


def _before(plan: Plan, folder: Path) -> Model:
    """Return the start model, or where it predicts no types the untrained network."""
    start = start_of(plan)
    if start is not None and start.classes:
        return start
    return _model(plan, read_tensors(folder / INITIAL, plan.initial_sha256))


def _captioned(when: str, answers: Answers, pictures: dict[int, bytes]) -> list[Captioned]:
    return [
        Captioned(pictures[int(i)], f"{true}\n{when}: {said} {share:.2f}", bool(right))
        for i, true, said, share, right in zip(
            answers.product_ids, answers.truth, answers.predicted, answers.probability,
            answers.right, strict=True,
        )
    ]  # fmt: skip
