"""How findings are told, what is known of software, and the job itself."""

import json
from pathlib import Path

import pytest
import torch

from conftest import RunJob
from fashionrec.doctor import doctor as job
from fashionrec.doctor.finding import as_record, examined, fail, formatted, ok, warn
from fashionrec.doctor.software import (
    FITTING,
    check_fit,
    check_java,
    check_pins,
    check_python,
    installed,
    java_says,
    pins,
)
from fashionrec.errors import FashionrecError
from fashionrec.store import Store


def raises(error: Exception):
    def check():
        raise error

    return check


def test_a_check_that_raises_has_failed_and_costs_no_other() -> None:
    checks = {
        "ours": raises(FashionrecError("styles.csv: is empty")),
        "theirs": raises(ValueError("no\nnumber")),
        "last": lambda: ok("fine"),
    }
    ours, theirs, last = examined(checks).values()
    assert ours == fail("styles.csv: is empty", "")
    assert (theirs.status, theirs.found) == ("fail", "ValueError: no")
    assert theirs.todo.startswith("see the stack trace in ")
    assert last == ok("fine")


def test_the_table_is_aligned_and_says_what_to_do() -> None:
    findings = {"java": ok("17.0.1"), "packages": warn("2 differ", "run setup"),
                "disk": fail("a\x1b[2J", "make room")}  # fmt: skip
    assert formatted(findings).splitlines() == [
        "  ok    java      17.0.1",
        "  warn  packages  2 differ",
        "                  -> run setup",
        "  fail  disk      a\\x1b[2J",
        "                  -> make room",
    ]
    record = as_record(findings)
    assert (record["status"], record["counts"]) == ("failed", {"ok": 1, "warn": 1, "fail": 1})
    assert record["checks"][1] == {
        "check": "packages", "status": "warn", "found": "2 differ", "todo": "run setup"
    }  # fmt: skip
    assert as_record({"java": warn("8", "")})["status"] == "succeeded"


@pytest.mark.parametrize(
    ("version", "status"), [("3.11.9", "ok"), ("3.12.1", "fail"), ("3.1", "fail")]
)
def test_python(version: str, status: str) -> None:
    assert check_python(version, "/usr/bin/python3").status == status


@pytest.mark.parametrize(
    ("said", "status", "found"),
    [
        ('openjdk version "17.0.13" 2024-10-15\nOpenJDK ...', "ok", "17.0.13"),
        ('openjdk version "21" 2023-09-19', "ok", "21"),
        ('java version "1.8.0_392"', "fail", "1.8.0_392"),
        ('openjdk version "25.0.1" 2025-10-21', "fail", "25.0.1"),
        ("", "fail", "none was found"),
    ],
)
def test_java(said: str, status: str, found: str) -> None:
    finding = check_java(said)
    assert (finding.status, finding.found) == (status, found)


def test_the_java_that_spark_takes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert check_java(java_says()).status == "ok"
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert java_says() == ""


def test_pins(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("# exact\nnumpy==1.26.4\nJinja2==3.1.6\n")
    pinned = pins(tmp_path / "requirements.txt")
    assert pinned == {"numpy": "1.26.4", "Jinja2": "3.1.6"}
    assert check_pins(pinned, {"numpy": "1.26.4", "Jinja2": "3.1.6"}) == ok(
        "all 2 of requirements.txt"
    )
    finding = check_pins(pinned, {"numpy": "1.26.3", "Jinja2": None})
    assert finding.status == "warn"
    assert finding.found == "2 of 2 differ: numpy 1.26.3 for 1.26.4, Jinja2 missing for 3.1.6"
    assert check_pins(pins(tmp_path / "none"), {}).found.startswith("not compared")


FIT = {"numpy": "1.26.4", "pandas": "2.3.3", "pyarrow": "14.0.2", "setuptools": "69.5.1",
       "pyspark": "4.0.5", "delta-spark": "4.0.1"}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"numpy": "2.0.1"}, "numpy 2.0.1: pyarrow 14 is built against numpy 1"),
        ({"pandas": "3.0.0"}, "pandas 3.0.0: "),
        ({"pyarrow": "15.0.0"}, "pyarrow 15.0.0: petastorm 0.13.1"),
        ({"setuptools": "70.0"}, "setuptools 70.0: petastorm 0.13.1 needs its pkg_resources"),
        ({"delta-spark": "3.3.0"}, "delta-spark 3.3 is not made for pyspark 4.0"),
        ({"delta-spark": None}, "delta-spark missing is not made for pyspark 4.0"),
    ],
)
def test_pairs_that_do_not_fit(changed: dict[str, str | None], says: str) -> None:
    assert check_fit(FIT).status == "ok"
    finding = check_fit(FIT | changed)
    assert finding.status == "fail"
    assert finding.found.startswith(says)


def test_what_is_installed_here_fits() -> None:
    assert check_fit(installed(FITTING)).status == "ok"
    assert installed(["no-such-package"]) == {"no-such-package": None}


def options(night: Store, catalogue: Path) -> list[object]:
    return ["--catalogue", catalogue, "--warehouse", night.warehouse]


def test_a_sound_environment(
    night: Store, catalogue: Path, run_job: RunJob, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(Path(night.warehouse).rglob("*"))
    assert run_job("doctor", *options(night, catalogue)) == 0
    lines = capsys.readouterr().out.splitlines()
    found = {line[8:27].strip(): line[2:6].strip() for line in lines if line[2:6].strip()}
    assert set(found.values()) <= {"ok", "warn"}, lines
    assert len(found) == 24
    assert [found[name] for name in ("java", "tables", "model", "executors", "their packages")] == [
        "ok"
    ] * 5
    assert sorted(Path(night.warehouse).rglob("*")) == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_faults_are_told_one_by_one_and_as_json(
    night: Store, catalogue: Path, run_job: RunJob, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    wrong = ["--set", "model=no/such/folder", "--set", "embed.device=cuda", "--json"]
    assert run_job("doctor", *options(night, tmp_path), *wrong) == 1
    out, err = capsys.readouterr()
    (line,) = out.splitlines()
    record = json.loads(line)
    failed = [each["check"] for each in record["checks"] if each["status"] == "fail"]
    assert failed == ["java", "catalogue", "model", "gpu for embed"]
    assert (record["job"], record["status"], record["counts"]["fail"]) == ("doctor", "failed", 4)
    assert record["message"] == f"4 of 24 checks fail: {', '.join(failed)}"
    assert err.splitlines()[-1] == f"error: {record['message']}"


@pytest.mark.parametrize(
    ("place", "name", "says"),
    [
        ("spark_session", "spark", "Delta Lake is not on Spark's class path"),
        ("executors.ask_executors", "executors", "no executor has done a small task"),
    ],
)
def test_spark_that_does_not_start_is_a_finding(
    place: str, name: str, says: str, night: Store, catalogue: Path, run_job: RunJob,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def broken(*_: object, **__: object) -> None:
        raise FashionrecError(f"{says} ...")

    monkeypatch.setattr(f"{job.__name__}.{place}", broken)
    assert run_job("doctor", *options(night, catalogue)) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.split()[:2] == ["fail", name]
    assert says in last


def test_a_wrong_setting_is_wrong_use(run_job: RunJob, tmp_path: Path) -> None:
    assert run_job("doctor", "--warehouse", tmp_path, "--set", "notify.webhook=ftp://x") == 2
