"""Python, Java and packages: those that there are, against those that fit together."""

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from fashionrec.doctor.finding import Finding, fail, ok, warn

Versions = Mapping[str, str | None]  # None: it is not installed

_PYTHON = "3.11"
_JAVA = ("17", "21")
# The first major version that does not fit, and why: pairs that were tried.
_TOO_NEW = {
    "numpy": (2, "pyarrow 14 is built against numpy 1"),
    "pandas": (3, "PySpark 4.0 is written for pandas 2"),
    "pyarrow": (15, "petastorm 0.13.1, which training reads by, breaks"),
    "setuptools": (70, "petastorm 0.13.1 needs its pkg_resources"),
}
FITTING = (*_TOO_NEW, "pyspark", "delta-spark")
_PIN = re.compile(r"^([\w.-]+)==(\S+)", re.MULTILINE)
_SETUP = "run ./spark-submit.sh setup, or pip install -r requirements.txt"
_SHOWN = 5
_PATIENCE = 30  # seconds


def installed(names: Iterable[str]) -> dict[str, str | None]:
    """Return the versions of packages that this Python has."""
    return {name: _version(name) for name in names}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def pins(requirements: Path) -> dict[str, str]:
    """Return the versions that requirements.txt names; none where it is not at hand."""
    text = requirements.read_text(encoding="utf-8") if requirements.exists() else ""
    return dict(_PIN.findall(text))


def java_says() -> str:
    """Return what `java -version` says of the Java that Spark takes; nothing: there is none."""
    home = os.environ.get("JAVA_HOME")
    words = [f"{home}/bin/java" if home else "java", "-version"]
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=_PATIENCE).stderr
    except OSError:
        return ""


def check_python(found: str = sys.version.split()[0], where: str = sys.executable) -> Finding:
    """Check the driver's Python."""
    if found.startswith(f"{_PYTHON}."):
        return ok(f"{found} ({where})")
    return fail(f"{found} ({where})", f"use Python {_PYTHON}, for which requirements.txt is made")


def check_java(said: str) -> Finding:
    """Check what `java -version` says."""
    found = re.search(r'version "((\d+)[^"]*)"', said)
    if found is None:
        return fail("none was found", "install Java 17 or 21, or set JAVA_HOME")
    if found[2] in _JAVA:
        return ok(found[1])
    return fail(found[1], "Spark 4.0 needs Java 17 or 21: install one and set JAVA_HOME")


def check_pins(pinned: Mapping[str, str], found: Versions) -> Finding:
    """Check that what is installed is what the project was tried with."""
    if not pinned:
        return ok("not compared: requirements.txt is not at hand")
    differing = [
        f"{name} {found.get(name) or 'missing'} for {wanted}"
        for name, wanted in pinned.items()
        if found.get(name) != wanted
    ]
    if not differing:
        return ok(f"all {len(pinned)} of requirements.txt")
    told = ", ".join(differing[:_SHOWN])
    return warn(f"{len(differing)} of {len(pinned)} differ: {told}", _SETUP)


def check_fit(found: Versions) -> Finding:
    """Check the pairs that are known not to fit."""
    wrong = [
        f"{name} {found[name]}: {why}"
        for name, (first, why) in _TOO_NEW.items()
        if found.get(name) and int(str(found[name]).partition(".")[0]) >= first
    ]
    spark, delta = (_minor(found.get(name)) for name in ("pyspark", "delta-spark"))
    if spark != delta:
        wrong.append(f"delta-spark {delta} is not made for pyspark {spark}")
    if wrong:
        return fail("; ".join(wrong), _SETUP)
    return ok(", ".join(f"{name} {found.get(name) or 'missing'}" for name in FITTING))


def _minor(found: str | None) -> str:
    return ".".join(found.split(".")[:2]) if found else "missing"
