"""The report of an evaluation that was made up: figures in the page, nothing from elsewhere."""

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from conftest import write_model
from fashionrec.config import load
from fashionrec.embed.model import Model, load_model
from fashionrec.evaluation import plots
from fashionrec.evaluation.classification import Answers
from fashionrec.evaluation.evaluate import Evaluation, Rows
from fashionrec.evaluation.judge import Catalogue, judge_answers, judge_lists, slices_below
from fashionrec.evaluation.plots import thumbnail
from fashionrec.evaluation.report import write_report

COUNT = 40
SETTINGS = load().evaluate.model_copy(
    update={"resamples": 20, "max_slice_gap": 0.0, "min_slice": 1}
)


def made_up(model: Model, share_right: float = 0.8) -> Evaluation:
    draw = np.random.default_rng(0)
    types = draw.choice(["Belts", "Ties"], COUNT)
    others = ("gender", "base_colour", "usage", "master_category", "product_display_name")
    texts = {name: draw.choice(["x", "y"], COUNT).astype(object) for name in others}
    ids = np.arange(100, 100 + COUNT)
    catalogue = Catalogue(ids, {"article_type": types.astype(object), **texts})
    said = np.where(draw.random(COUNT) < share_right, types, "Caps")
    answers = Answers(ids, types, said, draw.random(COUNT))
    lists = draw.integers(0, COUNT, (COUNT, 5))
    everything = np.ones(COUNT, bool)
    judged = judge_lists(lists, catalogue, everything, SETTINGS)
    figures = {
        "model_version": model.version,
        "current_version": model.version,
        "rows": Rows(catalogue, everything, everything).counts,
        "k": 5,
        "classification": {
            model.version: judge_answers(answers, answers.take(np.arange(0)), 0.5, SETTINGS)
        },
        "retrieval": {model.version: judged},
        "warnings": slices_below(judged, SETTINGS),
    }
    return Evaluation(
        model, model, Rows(catalogue, everything, everything), answers, lists, figures
    )


def pictures(ids: np.ndarray) -> dict[int, bytes]:
    content = io.BytesIO()
    Image.new("RGB", (6, 8), "red").save(content, "JPEG")
    return {int(i): content.getvalue() for i in ids}


@pytest.mark.parametrize("classes", [None, []], ids=["with classes", "without"])
def test_the_page_shows_the_figures_and_needs_nothing_else(
    tmp_path: Path, classes: list[str] | None
) -> None:
    model = load_model(str(write_model(tmp_path / "m", seed=1, classes=classes)), tmp_path)
    evaluation = made_up(model)
    if not model.classes:
        evaluation.figures["classification"] = {}
    page = write_report(evaluation, pictures, tmp_path / "report", seed=1)
    html = page.read_text()
    right = int(evaluation.answers.right.sum()) if model.classes else 0
    wrong = COUNT - right if model.classes else 0
    drawn, shown = 3 if model.classes else 0, min(right, 12) + min(wrong, 12) + 6 * 6
    assert html.count('src="data:image/png;base64,') == drawn
    assert html.count('src="data:image/jpeg;base64,') == shown
    assert html.count("<img") == drawn + shown
    assert "precision@5" in html
    assert not re.search(r"https?://|<script|<link", html)
    value = evaluation.figures["retrieval"][model.version]["precision"]["article type"]["value"]
    assert f"{value:.3f}" in html
    assert evaluation.figures["warnings"][0] in html
    document = json.loads((tmp_path / "report" / "report.json").read_text())
    assert document["retrieval"][model.version]["coverage"] == pytest.approx(
        len(np.unique(evaluation.lists)) / COUNT
    )
    if model.classes:
        told = document["classification"][model.version]
        assert told["unknown_classes"] == {"rows": 0, "separation": None, "accepted": None}
        assert f"{told['top1']['value']:.3f}" in html


def test_a_page_without_a_mistake(tmp_path: Path) -> None:
    model = load_model(str(write_model(tmp_path / "m", seed=1)), tmp_path)
    page = write_report(made_up(model, share_right=1.0), pictures, tmp_path / "report", seed=1)
    assert re.search(r"<h3>Wrong</h3>.*?<div class=\"gallery\">\s*none", page.read_text(), re.S)


def test_large_pictures_are_shown_small() -> None:
    content = io.BytesIO()
    Image.new("LA", (1800, 2400)).save(content, "PNG")
    small = Image.open(io.BytesIO(thumbnail(content.getvalue())))
    assert (small.format, small.size) == ("JPEG", (180, 240))


def test_of_many_classes_the_most_confused_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = np.diag(np.full(60, 10))
    counts[50, 55] = 30
    drawn: list[Figure] = []
    monkeypatch.setattr(plots, "_png", lambda figure: drawn.append(figure) or b"")
    plots.confusion_matrix(counts, [f"class {i}" for i in range(60)])
    axes = drawn[0].axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert len(names) == 40
    row, column = names.index("class 50"), names.index("class 55")
    assert axes.images[0].get_array()[row, column] == 0.75
    assert axes.images[0].get_array()[row, row] == 0.25
    assert "the 40 most confused of 60 classes" in axes.get_title()
