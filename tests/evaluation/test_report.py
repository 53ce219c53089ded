"""The report of an evaluation that was made up: figures in the page, nothing from elsewhere."""

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import write_model
from fashionrec.config import load
from fashionrec.embed.model import Model, load_model
from fashionrec.evaluation.classification import Answers
from fashionrec.evaluation.evaluate import Evaluation, Rows
from fashionrec.evaluation.judge import Catalogue, judge_answers, judge_lists, slices_below
from fashionrec.evaluation.report import write_report

COUNT = 40
SETTINGS = load().evaluate.model_copy(
    update={"resamples": 20, "max_slice_gap": 0.0, "min_slice": 1}
)


def made_up(model: Model) -> Evaluation:
    draw = np.random.default_rng(0)
    types = draw.choice(["Belts", "Ties"], COUNT)
    others = ("gender", "base_colour", "usage", "master_category", "product_display_name")
    texts = {name: draw.choice(["x", "y"], COUNT).astype(object) for name in others}
    ids = np.arange(100, 100 + COUNT)
    catalogue = Catalogue(ids, {"article_type": types.astype(object), **texts})
    said = np.where(draw.random(COUNT) < 0.8, types, "Caps")
    answers = Answers(ids, types, said, draw.random(COUNT))
    lists = draw.integers(0, COUNT, (COUNT, 5))
    everything = np.ones(COUNT, bool)
    judged = judge_lists(lists, catalogue, everything, SETTINGS)
    figures = {
        "model_version": model.version,
        "current_version": model.version,
        "rows": Rows(catalogue, everything, everything).counts,
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
    assert (
        html.count("<img")
        == html.count('src="data:image/png;base64,')
        == (6 if model.classes else 1)
    )
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
