"""One Spark session, one small catalogue, one tiny model for all tests."""

import os
import runpy
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from fashionrec.benchmark.shop import write_small_model
from fashionrec.dashboard.warehouse import Warehouse, key_of
from fashionrec.sample import draw_catalogue
from fashionrec.session import spark_session
from fashionrec.store import Store

ROOT = Path(__file__).parents[1]
CLASSES = ["Backpacks", "Belts", "Caps", "Dresses", "Shirts", "Ties"]

RunJob = Callable[..., int]


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    session = spark_session("tests")
    yield session
    session.stop()


@pytest.fixture
def store(spark: SparkSession, tmp_path: Path) -> Store:
    made = Store(spark, tmp_path / "warehouse")
    made.create_missing()
    return made


@pytest.fixture(scope="session")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn catalogue of 80 products; tests that change it take a copy."""
    folder = tmp_path_factory.mktemp("catalogue") / "drawn"
    draw_catalogue(folder, products=80, seed=1)
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ResNet18 with random weights that looks at 32x24 pixels."""
    return write_model(tmp_path_factory.mktemp("models") / "tiny", seed=0)


def write_model(folder: Path, seed: int, classes: list[str] | None = None) -> Path:
    return write_small_model(folder, CLASSES if classes is None else classes, seed)


@pytest.fixture
def run_job(spark: SparkSession, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> RunJob:
    """Run a job's file as spark-submit does, in this process; return its exit status."""
    monkeypatch.setenv("SPARK_LOG_DIR", str(tmp_path / "logs"))
    monkeypatch.setenv("FASHIONREC_HOME", str(ROOT))
    return run


def run(job: str, *options: object) -> int:
    argv, sys.argv = sys.argv, [job, *map(str, options)]
    try:
        runpy.run_path(str(ROOT / "jobs" / f"{job}.py"), run_name="__main__")
    except SystemExit as exit:
        return int(exit.code or 0)
    finally:
        sys.argv = argv
    return 0


@pytest.fixture(scope="session")
def _night(
    spark: SparkSession,
    catalogue: Path,
    tiny_model: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    warehouse = tmp_path_factory.mktemp("night") / "warehouse"
    os.environ["SPARK_LOG_DIR"] = str(warehouse.parent / "logs")
    paths = ("--catalogue", catalogue, "--warehouse", warehouse)
    assert run("nightly", *paths, "--set", f"model={tiny_model}", "--run-id", "first") == 0
    return warehouse


@pytest.fixture
def night(spark: SparkSession, _night: Path, tmp_path: Path) -> Store:
    """The warehouse after one night over `catalogue`; each test has a copy of its own."""
    shutil.copytree(_night, tmp_path / "night")
    return Store(spark, tmp_path / "night")


@pytest.fixture(scope="session")
def shop(_night: Path) -> Warehouse:
    """One night's tables as the page reads them; no test changes them."""
    return Warehouse(_night, key_of(_night))
