"""Bad settings, options, models and warehouses end a job in one clear line, and change nothing."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from corpus import Case, bounded, each
from folders import MODELS, SOURCES, WAREHOUSES
from pyspark.sql import SparkSession
from settings import CATALOGUES, FILES, IDS, OPTIONS, VALUES

from conftest import RunJob
from fashionrec.store import Store
from fashionrec.tables import RUNS


@pytest.fixture(autouse=True)
def _log_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_LOG_DIR", str(tmp_path / "logs"))


@pytest.fixture(scope="module")
def _empty(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    warehouse = tmp_path_factory.mktemp("empty") / "warehouse"
    Store(spark, warehouse).create_missing()
    return warehouse


@pytest.fixture
def warehouse(_empty: Path, tmp_path: Path) -> Path:
    """A warehouse of ours without rows."""
    return Path(shutil.copytree(_empty, tmp_path / "warehouse"))


class Screen:
    """What a job put on the screen, and how it must look."""

    def __init__(self, status: int, captured: tuple[str, str]) -> None:
        self.status, (self.out, self.err) = status, captured

    def says(self, case: Case, *statuses: int) -> None:
        """Check that it ended in one line that a person can use, and without a result."""
        *before, last = self.err.splitlines()
        assert self.status in statuses, self.err
        assert re.search(case.says, last), self.err
        assert last.startswith("error: ") or ": error: " in last
        assert "stack trace" not in last  # that were a defect of ours
        assert not [line for line in before if line.startswith(("Traceback", "error:", "---"))]
        assert last.isprintable()
        assert self.out == ""


@pytest.fixture
def run(run_job: RunJob, capfd: pytest.CaptureFixture[str]) -> Iterator[type[Screen]]:
    def run(*words: object) -> Screen:
        capfd.readouterr()
        with bounded():
            status = run_job(*words)
        return Screen(status, capfd.readouterr())

    return run


@each(VALUES)
def test_a_bad_setting(case: Case, run, tmp_path: Path) -> None:
    run("lookup", 1, "--set", case.content.decode(), "--warehouse", tmp_path).says(case, 2)


@each(FILES)
def test_a_bad_file_of_settings(case: Case, run, tmp_path: Path) -> None:
    case.write(tmp_path / "mine.toml")
    run("lookup", 1, "--config", tmp_path / "mine.toml").says(case, 2)


@each(OPTIONS)
def test_a_bad_option(case: Case, run) -> None:
    run(*case.content.decode().split("\0")).says(case, 2)


@each(IDS)
def test_a_bad_id(case: Case, run, warehouse: Path) -> None:
    run("lookup", case.content.decode(), "--warehouse", warehouse).says(case, 1)


@each(CATALOGUES)
def test_a_bad_catalogue(case: Case, run, tmp_path: Path, warehouse: Path) -> None:
    case.write(tmp_path / "catalogue")
    before = commits(warehouse)
    options = ("--catalogue", tmp_path / "catalogue", "--warehouse", warehouse)
    run("ingest", *options).says(case, 1)
    assert commits(warehouse) == before


@each(MODELS)
def test_a_bad_model(case: Case, run, tmp_path: Path, tiny_model: Path, warehouse: Path) -> None:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    case.content(folder)
    before = commits(warehouse)
    run("embed", "--set", f"model={folder}", "--warehouse", warehouse).says(case, 1)
    assert commits(warehouse) == before
    assert not Path("/tmp/fashionrec-was-here").exists()


@each(SOURCES)
def test_a_bad_source_of_a_model(case: Case, run, warehouse: Path) -> None:
    before = commits(warehouse)
    run("embed", "--set", f"model={case.content.decode()}", "--warehouse", warehouse).says(case, 1)
    assert commits(warehouse) == before


@each(WAREHOUSES)
def test_a_bad_warehouse(case: Case, run, warehouse: Path) -> None:
    case.content(warehouse)
    before = tree(warehouse)
    run("publish", "--warehouse", warehouse).says(case, 1)
    assert tree(warehouse) == before


def commits(warehouse: Path) -> set[str]:
    """The logs' files of all tables but the record of runs."""
    logs = warehouse.glob("*/_delta_log/*.json")
    return {str(path) for path in logs if path.parts[-3] != RUNS.name}


def tree(folder: Path) -> dict[Path, int]:
    return {path: path.lstat().st_mtime_ns for path in (folder, *folder.rglob("*"))}
