"""A model version beside the current one: the report, promotion, and the night after it."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from conftest import RunJob, write_model
from fashionrec import publish
from fashionrec.config import load
from fashionrec.embed.model import load_model
from fashionrec.errors import FashionrecError
from fashionrec.evaluation import promote
from fashionrec.evaluation.colours import colour_histogram
from fashionrec.evaluation.promote import compare
from fashionrec.evaluation.published import warn_of_slices
from fashionrec.runs import Run
from fashionrec.store import Store
from fashionrec.tables import EMBEDDINGS, MODELS, NEIGHBOURS, PRODUCTS, RECOMMENDATIONS, RUNS


@pytest.fixture
def candidate(tmp_path: Path) -> Path:
    """Another tiny model; its training saw three products."""
    return write_model(tmp_path / "candidate", seed=2)


def report_of(store: Store, candidate: Path, tmp_path: Path, run_job: RunJob) -> dict:
    sets = ("--set", f"evaluate.folder={tmp_path / 'reports'}", "--set", "evaluate.resamples=50")
    job = ("evaluate", candidate, "--warehouse", store.warehouse, *sets)
    assert run_job(*job) == 0
    folder = tmp_path / "reports" / load_model(str(candidate), tmp_path).version
    html = (folder / "report.html").read_text()
    assert html.count("<img") == html.count('src="data:image/') > 3 + 6
    assert "http" not in html
    return json.loads((folder / "report.json").read_text())


def test_the_report_is_of_unseen_rows_and_both_models(
    night: Store, candidate: Path, tmp_path: Path, run_job: RunJob,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    ids = sorted(row.product_id for row in night.read(EMBEDDINGS).collect())
    seen = ids[:3]
    (candidate / "training_products.txt").write_text("".join(f"{i}\n" for i in seen))
    figures = report_of(night, candidate, tmp_path, run_job)
    assert figures["rows"]["pictured"] == len(ids)
    assert figures["rows"]["unseen"] == len(ids) - 3
    assert capfd.readouterr().out.splitlines()[-1].endswith("report.html")

    version = load_model(str(candidate), tmp_path).version
    assert set(figures["retrieval"]) == {
        version, figures["current_version"], "colour histogram", "random",
    }  # fmt: skip
    products = {row.product_id: row for row in night.read(PRODUCTS).collect()}
    rows = [
        row for row in night.read(EMBEDDINGS).where(f"model_version = '{version}'").collect()
        if row.product_id not in seen
    ]  # fmt: skip
    classes = load_model(str(candidate), tmp_path).classes
    known = [row for row in rows if products[row.product_id].article_type in classes]
    right = [r.predicted_article_type == products[r.product_id].article_type for r in known]
    told = figures["classification"][version]
    assert figures["rows"]["validation"] == len(known)
    assert told["top1"]["value"] == pytest.approx(np.mean(right))
    assert told["unknown_classes"]["rows"] == len(rows) - len(known) > 0

    published = night.read(RECOMMENDATIONS).where("list = 'similar'").collect()
    told = figures["retrieval"][figures["current_version"]]
    same = [
        row.article_type == row.neighbour_article_type for row in published
        if row.product_id not in seen
    ]  # fmt: skip
    assert told["precision"]["article type"]["value"] == pytest.approx(np.mean(same))
    recommended = {row.neighbour_id for row in published}
    assert told["coverage"] == pytest.approx(len(recommended) / len(ids))


def test_without_an_unseen_row_it_says_so(
    night: Store, candidate: Path, run_job: RunJob, capfd: pytest.CaptureFixture[str]
) -> None:
    ids = sorted(row.product_id for row in night.read(EMBEDDINGS).collect())
    (candidate / "training_products.txt").write_text("".join(f"{i}\n" for i in ids))
    assert run_job("evaluate", candidate, "--alone", "--warehouse", night.warehouse) == 1
    assert "no validation row that neither was trained on" in capfd.readouterr().err


def published_versions(store: Store) -> set[str]:
    return {row.model_version for row in store.read(RECOMMENDATIONS).collect()}


def test_a_promotion_is_published_whole_by_the_next_night(
    night: Store, catalogue: Path, candidate: Path, run_job: RunJob,
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    old = published_versions(night)
    here = ("--warehouse", night.warehouse, "--set", "evaluate.resamples=50")
    before = night.read(MODELS).where("current").collect()
    with monkeypatch.context() as patched:
        patched.setattr(promote, "compare", lambda *_: [("top-1 0.1, the other's 0.2", True)])
        assert run_job("promote", candidate, *here) == 3
    assert "is not promoted: top-1 0.1, the other's 0.2" in capfd.readouterr().err
    assert night.read(MODELS).where("current").collect() == before
    assert night.read(RUNS).where("job = 'promote'").first().status == "refused"

    assert run_job("promote", candidate, *here, "--set", "promote.tolerance=1.0") == 0
    new = load_model(str(candidate), candidate).version
    assert f"{new} is now current" in capfd.readouterr().out
    current = night.read(MODELS).where("current").collect()
    assert [(row.model_version, row.path) for row in current] == [(new, str(candidate))]

    assert run_job("publish", *here) == 3
    assert "run nightly, which brings them up to date first" in capfd.readouterr().err
    assert run_job("neighbours", *here) == 1
    assert "run embed first" in capfd.readouterr().err
    assert published_versions(night) == old

    def killed(*_: object) -> None:
        raise FashionrecError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(publish, "publish", killed)
        assert run_job("nightly", "--catalogue", catalogue, *here) == 1
    assert {row.model_version for row in night.read(NEIGHBOURS).collect()} == {new}
    assert published_versions(night) == old
    assert run_job("publish", *here) == 0
    assert published_versions(night) == {new}


def test_a_night_warns_of_slices_in_its_record(night: Store) -> None:
    published = night.read(RECOMMENDATIONS).where("list = 'similar' AND gender = 'Women'").collect()
    all_of = night.read(RECOMMENDATIONS).where("list = 'similar'").collect()
    means = [np.mean([r.article_type == r.neighbour_article_type for r in rows])
             for rows in (published, all_of)]  # fmt: skip
    gap = float(means[1] - means[0])
    base = load().evaluate.model_copy(update={"min_slice": 1})

    def warnings(max_slice_gap: float, changed: int = 1) -> list[str]:
        run = Run("r", "nightly", datetime.now(UTC), {}, {"publish.rows_changed": changed})
        some = base.model_copy(update={"max_slice_gap": max_slice_gap})
        warn_of_slices(night, some, run)
        return [line for line in run.warnings if "gender Women" in line]

    assert warnings(gap + 0.01) == []
    assert warnings(gap - 0.01, changed=0) == []
    assert warnings(gap - 0.01) == [
        f"publish: gender Women: precision@k {means[0]:.3f} of {len(published) // 5} queries, "
        f"the mean is {means[1]:.3f}"
    ]


@pytest.mark.parametrize(
    ("new", "old", "tolerance", "worse"),
    [(0.8, 0.8, 0.0, False), (0.79, 0.8, 0.0, True), (0.79, 0.8, 0.02, False)],
)
def test_comparisons_go_by_the_tolerance(
    new: float, old: float, tolerance: float, worse: bool, tiny_model: Path, tmp_path: Path
) -> None:
    from types import SimpleNamespace

    one = load_model(str(tiny_model), tmp_path)
    other = load_model(str(write_model(tmp_path / "other", seed=5)), tmp_path)
    figures = {
        "retrieval": {
            v: {"precision": {"article type": {"value": x}}}
            for v, x in ((one.version, new), (other.version, old))
        },
        "classification": {v: {"top1": {"value": 0.5}} for v in (one.version, other.version)},
    }
    evaluation = SimpleNamespace(candidate=one, current=other, figures=figures)
    settings = load().promote.model_copy(update={"tolerance": tolerance})
    told = compare(evaluation, settings)  # type: ignore[arg-type]
    assert told[0][1] is worse
    assert told[1][1] is False
    assert "0.8" in told[0][0]


def test_colour_histograms_tell_colours() -> None:
    import io

    from PIL import Image

    def histogram(colour: str) -> np.ndarray:
        content = io.BytesIO()
        Image.new("RGB", (20, 30), colour).save(content, "PNG")
        return colour_histogram(content.getvalue())

    assert histogram("red") @ histogram("red") == pytest.approx(1)
    assert histogram("red") @ histogram("blue") == 0
    assert histogram("red").shape == (64,)
