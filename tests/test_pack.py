"""What `pack` ships: all that the package requires, no tools, and a Python that finds it."""

import os
import subprocess
import tarfile
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest

from conftest import ROOT
from fashionrec import pack
from fashionrec.errors import FashionrecError


@pytest.fixture(scope="module", autouse=True)
def home() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FASHIONREC_HOME", str(ROOT))
        yield


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pack.build_wheel(tmp_path_factory.mktemp("wheel"))


def test_the_wheel_has_what_is_no_python(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    sources = ROOT / "lib" / "fashionrec"
    for pattern in ("**/*.py", "views/*.sql", "conf/*.toml", "**/*.html", "**/*.java"):
        for path in sources.glob(pattern):
            assert f"fashionrec/{path.relative_to(sources)}" in names


def test_what_is_required_and_no_more() -> None:
    names = {each.metadata["Name"].lower() for each in pack._required()}
    assert names > {"torch", "torchvision", "pyspark", "petastorm", "s3fs", "botocore", "numpy"}
    assert not names & {"fashionrec", "pytest", "ruff", "mypy", "moto", "playwright"}
    files = pack._packages()
    assert "lib/torch/__init__.py" in files
    assert "lib/pyspark/sql/session.py" in files
    assert not any(name.startswith("lib/pyspark/jars") or ".." in name for name in files)


def test_a_node_needs_python_alone(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pack, "_required", lambda: [distribution("packaging")])
    size = pack.pack_environment(wheel, tmp_path / pack.ARCHIVE)
    assert size > (ROOT / "models/fashion-base/weights.safetensors").stat().st_size
    assert [path.name for path in tmp_path.iterdir()] == [pack.ARCHIVE]
    with tarfile.open(tmp_path / pack.ARCHIVE) as tar:
        tar.extractall(tmp_path / "environment", filter="data")
    code = (
        "import os, fashionrec, packaging;"
        "print(fashionrec.__file__, packaging.__file__, os.environ['FASHIONREC_HOME'])"
    )
    words = ["./environment/bin/python", "-S", "-c", code]
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": "/own"}
    done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True)
    own = tmp_path / "environment"
    modules = [own / "lib" / name / "__init__.py" for name in ("fashionrec", "packaging")]
    assert done.stdout.split() == [*map(str, modules), str(own)], done.stderr
    assert (own / "models" / "fashion-base" / "model.json").is_file()


def test_only_a_checkout_can_be_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASHIONREC_HOME", str(tmp_path))
    with pytest.raises(FashionrecError, match="is no checkout of fashionrec"):
        pack.build_wheel(tmp_path)
