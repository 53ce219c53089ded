"""Notebooks run from top to bottom, show what they promise, and are kept without outputs."""

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from conftest import ROOT
from fashionrec.store import Store

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
_TINY = {"min_images": 3, "sample": 6, "row_group": 5, "batch_size": 8, "epochs": 1}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_kept_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(
    path: Path, night: Store, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {f"finetune.{name}": value for name, value in _TINY.items()} | {
        "finetune.folder": tmp_path / "models",
        "evaluate.folder": tmp_path / "reports",
        "finetune.start": tiny_model,
    }
    sets = " ".join(f"--set {name}={value}" for name, value in settings.items())
    monkeypatch.setenv("FASHIONREC_WAREHOUSE", str(night.warehouse))
    monkeypatch.setenv("FASHIONREC_HOME", str(ROOT))
    monkeypatch.setenv("FASHIONREC_OPTIONS", f"--no-install --driver-memory 1g {sets}")
    monkeypatch.setenv("SPARK_LOG_DIR", str(tmp_path / "logs"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "lib"))
    monkeypatch.delenv("PYSPARK_SUBMIT_ARGS", raising=False)
    monkeypatch.setenv("JUPYTER_PATH", os.path.join(str(tmp_path), "none"))
    notebook = nbformat.read(path, as_version=4)
    run = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(path.parent)}})
    shown = [output for cell in run.execute().cells for output in cell.get("outputs", [])]
    assert {output.output_type for output in shown} <= {"execute_result", "display_data", "stream"}
    assert any(output.output_type == "execute_result" for output in shown)
