"""An evaluation as one self-contained HTML file and as JSON. No Spark."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from fashionrec.config import resolve
from fashionrec.evaluation.classification import Answers, confusion
from fashionrec.evaluation.evaluate import Evaluation
from fashionrec.evaluation.plots import Captioned, confusion_matrix, gallery, lines
from fashionrec.neighbours.lists import Ints
from fashionrec.settings import EvaluateSettings
from fashionrec.training.checkpoint import write_whole

Contents = Callable[[Ints], dict[int, bytes]]

_TEMPLATE = Path(__file__).parent / "report.html"
_COLUMNS, _ROWS, _QUERIES = 6, 2, 6


def write_report(evaluation: Evaluation, contents: Contents, folder: Path, seed: int) -> Path:
    """Write report.html and report.json into `folder` and return the HTML file.

    contents: returns the pictures of products.
    """
    folder.mkdir(parents=True, exist_ok=True)
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters["figure"] = _figure
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    pictures = {name: _embedded(png) for name, png in _pictures(evaluation, contents, seed).items()}
    html = template.render(figures=evaluation.figures, pictures=pictures)
    # JSON has no nan: an estimate of no rows is null.
    document = json.dumps(_without_nan(evaluation.figures), indent=1, allow_nan=False)
    write_whole(folder / "report.json", document.encode())
    write_whole(folder / "report.html", html.encode())
    return folder / "report.html"


def _figure(value: float | None) -> str:
    return "none" if value is None or value != value else f"{value:.3f}"


def _embedded(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and value != value else value


def _pictures(evaluation: Evaluation, contents: Contents, seed: int) -> dict[str, bytes]:
    draw = np.random.default_rng(seed)
    pictures = {"neighbours": _neighbours(evaluation, contents, draw)}
    classification = evaluation.figures["classification"]
    if evaluation.candidate.version not in classification:
        return pictures  # it has no classifier
    answers = evaluation.answers.take(evaluation.rows.validation)
    classes = sorted({*answers.truth, *answers.predicted})
    return pictures | {
        "coverage": lines(
            [
                (name, told["coverage_accuracy"]["coverage"], told["coverage_accuracy"]["accuracy"])
                for name, told in classification.items()
            ],
            ("coverage: share of rows accepted", "accuracy of those"),
        ),
        "calibration": lines(
            [
                (
                    name,
                    *map(list, zip(*[bin[:2] for bin in told["calibration"]["bins"]], strict=True)),
                )
                for name, told in classification.items()
            ],
            ("probability", "share of right answers"),
            diagonal=True,
        ),
        "confusion": confusion_matrix(confusion(answers, classes), classes),
        "right": _answers(answers.take(answers.right), contents, draw),
        "wrong": _answers(answers.take(~answers.right), contents, draw),
    }


def _answers(answers: Answers, contents: Contents, draw: np.random.Generator) -> bytes:
    """Show pictures with what they are called."""
    count = min(len(answers.truth), _COLUMNS * _ROWS)
    if not count:
        return gallery([[]])
    chosen = answers.take(np.sort(draw.choice(len(answers.truth), count, replace=False)))
    pictures = contents(chosen.product_ids)
    shown = [
        Captioned(pictures[int(i)], f"{true}\n{said} {probability:.2f}", bool(right))
        for i, true, said, probability, right in zip(
            chosen.product_ids,
            chosen.truth,
            chosen.predicted,
            chosen.probability,
            chosen.right,
            strict=True,
        )
    ]
    return gallery([shown[i : i + _COLUMNS] for i in range(0, count, _COLUMNS)])


def _neighbours(evaluation: Evaluation, contents: Contents, draw: np.random.Generator) -> bytes:
    """Show queries beside their neighbours."""
    ids, types = evaluation.rows.catalogue.ids, evaluation.rows.catalogue.columns["article_type"]
    unseen = np.flatnonzero(evaluation.rows.unseen)
    queries = np.sort(draw.choice(unseen, min(_QUERIES, len(unseen)), replace=False))
    rows = [[query, *(n for n in evaluation.lists[query] if n >= 0)] for query in queries]
    pictures = contents(ids[np.unique(np.concatenate(rows))])
    return gallery(
        [
            [
                Captioned(
                    pictures[int(ids[item])],
                    f"{ids[item]}\n{types[item]}",
                    None if item == row[0] else bool(types[item] == types[row[0]]),
                )
                for item in row
            ]
            for row in rows
        ]
    )


def report_folder(evaluation: Evaluation, settings: EvaluateSettings) -> Path:
    """Return where the report of a model version belongs."""
    return resolve(settings.folder) / evaluation.candidate.version


def print_evaluation(evaluation: Evaluation, report: Path) -> None:
    """Print the main figures of each system, and where the report is."""
    figures = evaluation.figures
    rows = figures["rows"]
    print(f"{rows['validation']:,} validation rows and {rows['unseen']:,} queries were never seen")
    for name, told in figures["classification"].items():
        top1 = told["top1"]
        interval = f"{top1['low']:.4f} to {top1['high']:.4f}"
        print(f"  {name:<28} top-1 {top1['value']:.4f} ({interval}), macro {told['macro']:.4f}")
    for name, told in figures["retrieval"].items():
        values = ", ".join(f"{k} {v['value']:.4f}" for k, v in told["precision"].items())
        print(f"  {name:<28} precision: {values}")
    for warning in figures["warnings"]:
        print(f"  warning: {warning}")
    print(report)
