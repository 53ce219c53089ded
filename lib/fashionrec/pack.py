"""What a cluster needs of this project: a wheel, and an environment for Spark's --archives.

The archive is no virtual environment: those hold the path of the Python that made them. It has
the packages that fashionrec requires, and `bin/python`, which runs the node's own Python 3.11.
"""

import io
import logging
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from tempfile import TemporaryDirectory

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from fashionrec.config import project_home
from fashionrec.errors import FashionrecError
from fashionrec.models import DEFAULT_MODEL
from fashionrec.pace import SECONDS_BETWEEN_LINES, progress_line

log = logging.getLogger(__name__)

ARCHIVE = "environment.tar.gz"
_PROJECT = "fashionrec"
_SOURCES = ("pyproject.toml", "README.md", "lib")
_LAUNCHER = """\
#!/bin/sh
# Runs this node's Python 3.11 with the packages beside this file; Spark's own come before them.
home=$(cd "$(dirname "$0")/.." && pwd)
export PYTHONPATH="${PYTHONPATH:+$PYTHONPATH:}$home/lib"
export FASHIONREC_HOME="${FASHIONREC_HOME:-$home}"
exec "${FASHIONREC_PYTHON:-python3.11}" "$@"
"""
_LEFT_OUT = ("pyspark/jars/", "pyspark/examples/")  # a cluster has a Spark of its own
_COMPRESSION = 1  # most of it are libraries for GPUs: more takes minutes and saves little

_Files = dict[str, Path]  # by name in the archive


def build_wheel(folder: Path) -> Path:
    """Build the package's wheel into a folder; return its path.

    Raises:
        FashionrecError: there are no sources here, or pip cannot build them.
    """
    home = project_home()
    if not (home / _SOURCES[0]).is_file():
        raise FashionrecError(f"{home}: is no checkout of {_PROJECT}: pack where its sources are")
    with TemporaryDirectory(prefix="fashionrec-") as copy:  # a build leaves files in the sources
        for name in _SOURCES:
            source = home / name
            copier = shutil.copytree if source.is_dir() else shutil.copy
            copier(source, Path(copy, name))  # the link to conf becomes a folder
        words = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder]
        pip = [sys.executable, "-m", "pip", *map(str, words), copy]
        done = subprocess.run(pip, capture_output=True, text=True)
    if done.returncode:
        raise FashionrecError(f"pip cannot build the wheel: {done.stderr.strip().splitlines()[-1]}")
    return max(folder.glob(f"{_PROJECT}-*.whl"), key=lambda path: path.stat().st_mtime)


def pack_environment(wheel: Path, archive: Path) -> int:
    """Write the environment, with the wheel and the default model in it; return its files' bytes.

    Raises:
        FashionrecError: a package that is required is not installed.
    """
    files = _packages() | _model()
    total, done, told = sum(path.stat().st_size for path in files.values()), 0, time.monotonic()
    began = told
    part = archive.with_name(f".{archive.name}.part")
    with tarfile.open(part, "w:gz", compresslevel=_COMPRESSION) as tar:
        _add(tar, "bin/python", _LAUNCHER.encode(), mode=0o755)
        with zipfile.ZipFile(wheel) as package:
            for name in package.namelist():
                _add(tar, f"lib/{name}", package.read(name))
        for name, path in sorted(files.items()):
            tar.add(path, name, recursive=False)
            done += path.stat().st_size
            if time.monotonic() - told > SECONDS_BETWEEN_LINES:
                told = time.monotonic()
                log.info("pack: %s", progress_line(done >> 20, total >> 20, told - began, "MB"))
    part.replace(archive)
    return total


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = len(content), mode, int(time.time())
    tar.addfile(member, io.BytesIO(content))


def _model() -> _Files:
    folder = project_home() / DEFAULT_MODEL
    files = folder.iterdir() if folder.is_dir() else []
    return {f"{DEFAULT_MODEL}/{path.name}": path for path in files}


def _packages() -> _Files:
    """Return the installed files of all that the package requires, tools for development apart."""
    files: _Files = {}
    for package in _required():
        for file in package.files or []:
            name, path = str(file), Path(str(package.locate_file(file)))
            outside = name.startswith(("..", "/", *_LEFT_OUT)) or "__pycache__" in name
            if not outside and path.is_file():
                files[f"lib/{name}"] = path
    return files


def _required() -> list[Distribution]:
    """Return the distributions that the package requires, and those that they require."""
    seen: set[tuple[str, frozenset[str]]] = set()
    left = {(_PROJECT, frozenset[str]())}
    while left:
        name, extras = wanted = left.pop()
        seen.add(wanted)
        found = {(canonicalize_name(r.name), frozenset(r.extras)) for r in _needs(name, extras)}
        left |= found - seen
    return [_installed(name) for name in sorted({name for name, _ in seen} - {_PROJECT})]


def _needs(name: str, extras: frozenset[str]) -> Iterator[Requirement]:
    """Return what a distribution requires on this machine, and for the extras asked for."""
    for requirement in map(Requirement, _installed(name).requires or []):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras | {""}):
            yield requirement


def _installed(name: str) -> Distribution:
    try:
        return distribution(name)
    except PackageNotFoundError as error:
        raise FashionrecError(f"{name} is not installed: run ./spark-submit.sh setup") from error
