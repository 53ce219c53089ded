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
from fashionrec.evaluation.plots import Captioned, confusion_matrix, lines, thumbnail
from fashionrec.model_settings import EvaluateSettings
from fashionrec.neighbours.lists import Ints
from fashionrec.paths import write_whole

Contents = Callable[[Ints], dict[int, bytes]]

_TEMPLATE = Path(__file__).parent / "report.html"
_ANSWERS, _QUERIES = 12, 6


def write_report(evaluation: Evaluation, contents: Contents, folder: Path, seed: int) -> Path:
    """Write report.html and report.json into `folder` and return the HTML file.

    contents: returns the pictures of products.
    """
    folder.mkdir(parents=True, exist_ok=True)
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters |= {"figure": _figure, "embedded": _embedded, "thumbnail": thumbnail}
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    draw = np.random.default_rng(seed)
    html = template.render(
        figures=evaluation.figures,
        plots=_plots(evaluation),
        answers=_answers(evaluation, contents, draw),
        neighbours=_neighbours(evaluation, contents, draw),
    )
    # JSON has no nan: an estimate of no rows is null.
    document = json.dumps(_without_nan(evaluation.figures), indent=1, allow_nan=False)
    write_whole(folder / "report.json", document.encode())
    write_whole(folder / "report.html", html.encode())
    return folder / "report.html"


def _figure(value: float | None) -> str:
    return "none" if value is None or value != value else f"{value:.3f}"


def _embedded(image: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and value != value else value


def _judged(evaluation: Evaluation) -> Answers | None:
    """Return the candidate's answers to the validation rows; None where it has no classifier."""
    has_classes = evaluation.candidate.version in evaluation.figures["classification"]
    return evaluation.answers.take(evaluation.rows.validation) if has_classes else None


def _plots(evaluation: Evaluation) -> dict[str, bytes]:
    answers, told = _judged(evaluation), evaluation.figures["classification"]
    if answers is None:
        return {}
    curves = {name: each["coverage_accuracy"] for name, each in told.items()}
    bins = {name: zip(*each["calibration"]["bins"], strict=True) for name, each in told.items()}
    classes = sorted({*answers.truth, *answers.predicted})
    return {
        "coverage": lines(
            "Accuracy by coverage",
            [(name, curve["coverage"], curve["accuracy"]) for name, curve in curves.items()],
            ("share of rows accepted", "share of right answers among them"),
        ),
        "calibration": lines(
            "Calibration",
            [(name, said, right) for name, (said, right, _) in bins.items()],
            ("probability", "share of right answers"),
            diagonal=True,
        ),
        "confusion": confusion_matrix(confusion(answers, classes), classes),
    }


def _answers(
    evaluation: Evaluation, contents: Contents, draw: np.random.Generator
) -> dict[str, list[Captioned]]:
    """Return pictures with what they are catalogued as and called, right ones and wrong ones."""
    answers = _judged(evaluation)
    if answers is None:
        return {}
    return {
        title: _captioned(answers.take(_drawn(np.flatnonzero(rows), _ANSWERS, draw)), contents)
        for title, rows in (("Right", answers.right), ("Wrong", ~answers.right))
    }


def _drawn(rows: Ints, most: int, draw: np.random.Generator) -> Ints:
    return np.sort(draw.choice(rows, min(most, len(rows)), replace=False))


def _captioned(answers: Answers, contents: Contents) -> list[Captioned]:
    pictures = contents(answers.product_ids)
    return [
        Captioned(pictures[int(i)], f"{true}\n{said} {probability:.2f}", bool(right))
        for i, true, said, probability, right in zip(
            answers.product_ids,
            answers.truth,
            answers.predicted,
            answers.probability,
            answers.right,
            strict=True,
        )
    ]


def _neighbours(
    evaluation: Evaluation, contents: Contents, draw: np.random.Generator
) -> list[list[Captioned]]:
    """Return queries, each followed by its neighbours."""
    ids, types = evaluation.rows.catalogue.ids, evaluation.rows.catalogue.columns["article_type"]
    queries = _drawn(np.flatnonzero(evaluation.rows.unseen), _QUERIES, draw)
    rows = [[query, *(n for n in evaluation.lists[query] if n >= 0)] for query in queries]
    pictures = contents(ids[np.unique(np.concatenate(rows))])
    return [
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
