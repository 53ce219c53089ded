"""What is told of a finished training, apart from Spark."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from conftest import ROOT
from fashionrec.embed.model import load_model
from fashionrec.evaluation.classification import Answers
from fashionrec.runs import Run
from fashionrec.training.classifier import Blueprint, new_classifier
from fashionrec.training.record import answer_tables, honest
from fashionrec.training.version import as_model, products_seen, table_version, write_version

BLUEPRINT = Blueprint(
    "resnet18",
    load_model("models/fashion-base", ROOT).preprocessing,
    {"article_type": ("Belts", "Ties"), "gender": ("Men", "Women")},
)


def answers(count: int) -> Answers:
    truth = np.array(["Belts", "Ties"])[np.arange(count) % 2]
    return Answers(np.arange(count), truth, np.full(count, "Ties"), np.full(count, 0.5))


@pytest.mark.parametrize(
    ("seen", "left", "told"),
    [(0, 80, None), (20, 60, "are of the others"), (60, 80, "flatter")],
)
def test_rows_that_the_start_model_knows_are_left_out(
    seen: int, left: int, told: str | None
) -> None:
    run = Run("r", "finetune", datetime.now(UTC), {})
    found = honest(answers(80), set(range(seen)), run)
    assert len(found.truth) == left
    if told is None:
        assert run.warnings == []
    else:
        assert f"trained on {seen} of 80 validation rows" in run.warnings[0]
        assert told in run.warnings[0]


def test_tables_of_confusions_and_classes() -> None:
    files = answer_tables(answers(5), ["Belts", "Ties"])
    assert files["confusion.csv"] == b"catalogued \\ predicted,Belts,Ties\nBelts,0,3\nTies,0,2\n"
    assert files["per_class.csv"].decode().splitlines() == [
        "name,rows,recall,precision", "Belts,3,0.0,0.0", "Ties,2,1.0,0.4",
    ]  # fmt: skip


def test_a_version_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier = new_classifier(BLUEPRINT, None, seed=1, new_heads=True)
    model = as_model("trial", classifier, BLUEPRINT)
    card = {"threshold": 0.7, "training": {"table": {"path": "/w/t", "version": 3}}}
    with monkeypatch.context() as patched:
        patched.setattr("fashionrec.training.version.load_model", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            write_version(tmp_path / "models", "trial", model, card, [3, 1], {"a.png": b"x"})
    assert list((tmp_path / "models").iterdir()) == []
    folder = write_version(tmp_path / "models", "trial", model, card, [3, 1], {"a.png": b"x"})
    assert folder.name == model.version
    loaded = load_model(str(folder), tmp_path)
    assert loaded.threshold == 0.7
    assert loaded.heads == {"gender": ("Men", "Women")}
    assert products_seen(folder) == {1, 3}
    assert table_version(folder, "/w/t") == 3
    assert table_version(folder, "/elsewhere") is None
    again = write_version(tmp_path / "models", "trial", model, card, [1], {})
    assert again == folder
    assert products_seen(folder) == {1}
    assert [f.name for f in (tmp_path / "models").iterdir()] == [folder.name]
