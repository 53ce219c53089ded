"""Checks of Spark's settings and of what executors say: each well, and each wrong."""

import sys
import time
import zipfile
from pathlib import Path

import pytest
import torch
from pyspark.sql import SparkSession

from fashionrec.config import load
from fashionrec.doctor import probe
from fashionrec.doctor.executors import (
    Answers,
    as_bytes,
    ask_executors,
    check_arrow,
    check_clocks,
    check_discovery,
    check_gpu_for_embed,
    check_gpu_for_training,
    check_package,
    check_packages,
    check_pythons,
    check_spark,
    check_work_folders,
    check_worker_reuse,
)
from fashionrec.errors import FashionrecError
from fashionrec.training.launch import GPUS_PER_TASK

DRIVER = {"pyspark": "4.0.5", "numpy": "1.26.4"}
FACTS = {
    "host": "one",
    "python": "3.11.9",
    "executable": "/usr/bin/python3",
    "versions": DRIVER,
    "package": "abc",
    "time": 100.0,
    "free": 10**10,
    "gpus": None,
    "addresses": [],
}
PICTURE = load().ingest.max_bytes


def answers(**changes: object) -> Answers:
    """Two executors, of which the second is as the first but for `changes`."""
    return Answers([FACTS, FACTS | {"host": "two"} | changes], began=99.0, ended=101.0)


def test_all_executors_are_as_the_driver() -> None:
    finding = check_pythons(answers(), "3.11.4")
    assert finding.status == "ok"
    assert finding.found == "3.11.9 (/usr/bin/python3); 2 tasks on one, two"
    for found in (
        check_packages(answers(), DRIVER),
        check_package(answers(), "abc"),
        check_work_folders(answers(), 10**9),
        check_clocks(answers()),
    ):
        assert found.status == "ok"
        assert not found.todo


def test_an_executor_that_differs_is_named() -> None:
    finding = check_pythons(answers(python="3.12.1"), "3.11.9")
    assert finding.status == "fail"
    assert finding.found.endswith("on two")
    versions = {"pyspark": "4.0.5", "numpy": None}
    finding = check_packages(answers(versions=versions), DRIVER)
    assert (finding.status, finding.found) == ("fail", "numpy missing for 1.26.4 on two")
    finding = check_package(answers(package=None), "abc")
    assert (finding.status, finding.found) == ("fail", "fashionrec cannot be imported on two")
    finding = check_package(answers(package="old"), "abc")
    assert (finding.status, finding.found) == ("fail", "fashionrec on two is not the driver's")
    finding = check_work_folders(answers(free=10**8), 10**9)
    assert (finding.status, finding.found) == ("fail", "0.1 GB free of 1.0 needed, on two")


@pytest.mark.parametrize(("at", "status"), [(105.0, "warn"), (90.0, "warn"), (300.0, "fail")])
def test_clocks_of_executors(at: float, status: str) -> None:
    assert check_clocks(answers(time=at)).status == status


def test_spark() -> None:
    assert check_spark("local[2]", "4.0.5", "4.0.5").status == "ok"
    assert check_spark("local[2]", "3.5.1", "4.0.5").status == "fail"


def test_worker_reuse() -> None:
    assert check_worker_reuse("true").status == "ok"
    assert check_worker_reuse("false").status == "warn"


@pytest.mark.parametrize(
    ("rows", "most_bytes", "status"),
    [
        (256, "32m", "ok"),
        (10_000, "256m", "warn"),
        (10_000, "-1", "fail"),
        (0, "-1", "fail"),
        (4, "-1", "ok"),
        (0, "4g", "fail"),
    ],
)
def test_arrow(rows: int, most_bytes: str, status: str) -> None:
    assert check_arrow(rows, as_bytes(most_bytes), PICTURE).status == status


@pytest.mark.parametrize(
    ("text", "size"), [("32m", 1 << 25), ("1gb", 1 << 30), ("67108864", 1 << 26), ("-1", -1)]
)
def test_sizes(text: str, size: int) -> None:
    assert as_bytes(text) == size


def test_discovery(tmp_path: Path) -> None:
    script = tmp_path / "gpus.sh"
    assert check_discovery("", "").status == "ok"
    assert "there is no such file" in check_discovery(str(script), "").found
    script.touch(mode=0o644)
    assert check_discovery(str(script), "").todo == f"chmod +x {script}"
    script.chmod(0o755)
    assert check_discovery(str(script), "").status == "ok"
    assert check_discovery("./gpus.sh", f"file:/a,file:{script}").status == "ok"


def embed(device: str, per_task: str, gpus: list[int], *, local: bool = False) -> str:
    """Judge tasks that see so many GPUs, where Spark gives them the addresses 4, 5, ... or none."""
    addresses = ([str(4 + i)] if per_task else [] for i in range(len(gpus)))
    tasks = [
        FACTS | {"gpus": seen, "addresses": given}
        for seen, given in zip(gpus, addresses, strict=True)
    ]
    settings = load().embed.model_copy(update={"device": device})
    finding = check_gpu_for_embed(settings, per_task, tasks, local=local)
    return f"{finding.status}: {finding.found}"


@pytest.mark.parametrize(
    ("device", "per_task", "gpus", "says"),
    [
        ("auto", "", [0, 0], "ok: none is seen: embed runs on CPUs"),
        ("cpu", "", [1, 1], "ok: not asked for"),
        ("cuda", "1", [1, 1], "ok: given 4, 5; 1 per task"),
        ("cuda", "0.25", [2, 2], "ok: given 4, 5; 0.25 per task"),
        (
            "auto",
            "1",
            [1, 0],
            "fail: tasks are given GPUs 4, 5, but torch sees none in 1 of 2 tasks",
        ),
        ("auto", "", [2, 2], "warn: tasks are given none: all would take the first"),
        ("cuda", "", [2, 2], "fail: tasks are given none: all would take the first"),
    ],
)
def test_gpu_for_embed(device: str, per_task: str, gpus: list[int], says: str) -> None:
    assert embed(device, per_task, gpus) == says


def test_gpu_for_embed_in_local_mode() -> None:
    assert embed("cuda", "", [1, 1], local=True) == "ok: this machine's"
    with pytest.raises(FashionrecError, match="'cuda', but torch sees no usable GPU"):
        embed("cuda", "", [1, 0], local=True)


@pytest.mark.parametrize(
    ("across", "device", "per_task", "fits"),
    [
        (True, "cuda", "1", True),
        (True, "cuda", "2", True),
        (True, "cuda", "0.25", False),
        (True, "cuda", "1.5", False),
        (True, "cuda", "", False),
        (True, "cpu", "0.25", True),
        (False, "cpu", "0.25", True),
    ],
)
def test_gpu_for_training(across: bool, device: str, per_task: str, fits: bool) -> None:
    changes = {"across_executors": across, "device": device, "processes": 2}
    settings = load().finetune.model_copy(update=changes)
    if fits:
        assert check_gpu_for_training(settings, per_task).status == "ok"
    else:
        with pytest.raises(FashionrecError, match="needs whole ones"):
            check_gpu_for_training(settings, per_task)


def test_gpu_for_training_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load().finetune.model_copy(update={"device": "cuda"})
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    finding = check_gpu_for_training(settings, "")
    assert finding.found == "training would run on the driver's machine, device cuda"
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(FashionrecError, match=r"finetune.device = 'cuda', but torch sees no"):
        check_gpu_for_training(settings, "")


def test_executors_answer(spark: SparkSession) -> None:
    found = ask_executors(spark, ask_torch=True)
    assert len(found.facts) == spark.sparkContext.defaultParallelism
    facts = found.facts[0]
    assert facts["python"] == sys.version.split()[0]
    assert facts["package"] == probe.package_digest()
    assert facts["versions"] == {name: probe.version_of(name) for name in probe.PACKAGES}
    assert None not in facts["versions"].values()
    assert found.began <= facts["time"] <= found.ended
    assert facts["addresses"] == []
    assert facts["gpus"] == torch.cuda.device_count()


def test_executors_that_take_no_task(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "_LINGER", 20.0)
    began = time.monotonic()
    with pytest.raises(FashionrecError, match=r"no executor has done a small task in 2 s"):
        ask_executors(spark, ask_torch=False, patience=2.0)
    assert time.monotonic() - began < 15


@pytest.mark.parametrize(
    ("changed", "value", "says"),
    [
        (
            "pythonVer",
            "3.9",
            "Python in worker has different version: 3.11 than that in driver: 3.9",
        ),
        ("pythonExec", "/no/python3", r'Cannot run program "/no/python3"'),
    ],
)
def test_executors_that_cannot_run_this_python(
    changed: str, value: str, says: str, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark.sparkContext, changed, value)
    with pytest.raises(FashionrecError, match=f"executors cannot run .*: {says}.*PYSPARK_PYTHON"):
        ask_executors(spark, ask_torch=False)


def test_local_mode_hands_out_no_gpus(spark: SparkSession) -> None:
    conf = spark.sparkContext._conf
    conf.set(GPUS_PER_TASK, "1")
    try:
        with pytest.raises(FashionrecError, match="local mode hands out no GPUs"):
            ask_executors(spark, ask_torch=False)
    finally:
        conf._jconf.remove(GPUS_PER_TASK)


def test_the_digest_tells_sources_apart_and_reads_zips(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def digest(root: object) -> str | None:
        monkeypatch.setattr("importlib.resources.files", lambda _: root)
        return probe.package_digest()

    package = tmp_path / "fashionrec"
    (package / "embed").mkdir(parents=True)
    (package / "embed" / "model.py").write_text("x = 1\n")
    first = digest(package)
    (package / "notes.txt").write_text("no source")
    with zipfile.ZipFile(tmp_path / "shipped.zip", "w") as archive:
        archive.write(package / "embed" / "model.py", "fashionrec/embed/model.py")
    assert digest(package) == first
    assert digest(zipfile.Path(tmp_path / "shipped.zip", "fashionrec/")) == first
    (package / "embed" / "model.py").write_text("x = 2\n")
    assert digest(package) != first


def test_a_package_that_is_not_there() -> None:
    assert probe.version_of("no-such-package") is None
