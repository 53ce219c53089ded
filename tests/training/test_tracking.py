"""Tracking with MLflow's real client, in a store of files."""

import importlib.util
import logging
import re
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from fashionrec.config import load
from fashionrec.errors import FashionrecError
from fashionrec.training.tracking import tracked, tracking_of

SETTINGS = load().finetune.model_dump()


@pytest.fixture
def mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The client; it keeps its runs below tmp_path."""
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file://{tmp_path}/runs")
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    return pytest.importorskip("mlflow", reason="mlflow-skinny is not installed")


def test_a_run_has_the_settings_and_each_epochs_figures(mlflow: Any) -> None:
    with tracked(tracking_of("the-run", SETTINGS)) as report:
        report(0, {"loss": 1.5, "accuracy": 0.25})
        report(1, {"loss": 1.0, "accuracy": 0.5})
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name("fashionrec")
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.info.run_name, run.info.status) == ("the-run", "FINISHED")
    assert run.data.params == {name: str(value) for name, value in SETTINGS.items()}
    points = client.get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.value) for point in points] == [(0, 1.5), (1, 1.0)]


def test_the_environment_names_the_experiment(mlflow: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "/ours")
    with pytest.raises(KeyboardInterrupt), tracked(tracking_of("r", {})):
        raise KeyboardInterrupt
    client = mlflow.MlflowClient()
    (run,) = client.search_runs([client.get_experiment_by_name("/ours").experiment_id])
    assert run.info.status == "FAILED"


@pytest.mark.parametrize("uri", ["nonsense://somewhere", "http://127.0.0.1:9"])
def test_where_mlflow_cannot_write_is_told_at_once(
    mlflow: Any, monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with (
        pytest.raises(
            FashionrecError, match=rf"^MLFLOW_TRACKING_URI: .*{re.escape(urlsplit(uri).hostname)}"
        ),
        tracked(tracking_of("r", {})),
    ):
        pass


def test_an_outage_in_mid_training_is_a_warning(
    mlflow: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with tracked(tracking_of("r", {})) as report:
        shutil.move(tmp_path / "runs", tmp_path / "away")
        with caplog.at_level(logging.WARNING, "fashionrec"):
            report(4, {"loss": 1.0})
        shutil.move(tmp_path / "away", tmp_path / "runs")
    assert "finetune: epoch 5 is not on MLflow: " in caplog.text


def test_without_the_variable_nothing_and_without_mlflow_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert tracking_of("r", {}) is None
    with tracked(None) as report:
        report(0, {"loss": 1.0})
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "file:/somewhere")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(FashionrecError, match="mlflow is not installed"):
        tracking_of("r", {})
