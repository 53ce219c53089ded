"""Which device a network runs on, without needing one."""

import json
import os
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from pyspark.sql import SparkSession

from conftest import ROOT, RunJob
from fashionrec.config import load
from fashionrec.embed import devices, frames
from fashionrec.embed.devices import executors_have_gpu
from fashionrec.embed.engines import check_settings, choose_program
from fashionrec.embed.model import Model, load_model
from fashionrec.embed.torch_engine import device_of
from fashionrec.errors import FashionrecError
from fashionrec.store import Store
from fashionrec.tables import RUNS

EMBED = load().embed


@pytest.mark.parametrize(
    ("device", "gpu", "visible", "wanted"),
    [
        ("cpu", None, 0, "cpu"),
        ("cuda", None, 2, "cuda:0"),  # local mode: Spark schedules no GPUs
        ("cuda", 1, 2, "cuda:1"),
        ("cuda", 3, 1, "cuda:0"),  # a container that sees its own GPU alone
    ],
)
def test_a_task_takes_the_gpu_it_was_given(
    device: str, gpu: int | None, visible: int, wanted: str
) -> None:
    assert device_of(device, gpu, visible) == torch.device(wanted)


@pytest.mark.parametrize(
    ("resources", "wanted"),
    [({}, None), ({"gpu": SimpleNamespace(addresses=["3"])}, 3)],
)
def test_the_address_comes_from_spark(
    monkeypatch: pytest.MonkeyPatch, resources: dict[str, object], wanted: int | None
) -> None:
    task = SimpleNamespace(resources=lambda: resources)
    monkeypatch.setattr(frames.TaskContext, "get", lambda: task)
    assert frames.assigned_gpu() == wanted


@pytest.mark.parametrize(
    ("addresses", "visible", "wanted"),
    [
        (["0", "0", "1", "1"], 2, ["cuda:0", "cuda:0", "cuda:1", "cuda:1"]),  # two tasks per GPU
        (["6", "7"], 8, ["cuda:6", "cuda:7"]),  # two of a node's eight
        (["6", "7"], 1, ["cuda:0", "cuda:0"]),  # containers that see their own alone
    ],
)
def test_tasks_of_a_node_share_its_gpus(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str], visible: int, wanted: list[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: visible)
    found = []
    for address in addresses:
        resources = {"gpu": SimpleNamespace(addresses=[address])}
        task = SimpleNamespace(resources=lambda given=resources: given)
        monkeypatch.setattr(frames.TaskContext, "get", lambda given=task: given)
        found.append(str(devices.task_device()))
    assert found == wanted


def test_outside_a_task_there_is_no_address() -> None:
    assert frames.assigned_gpu() is None


@pytest.mark.parametrize(
    ("there", "gpu", "wanted"),
    [(False, None, "cpu"), (True, None, "cuda:0"), (True, 1, "cuda:1"), (True, 3, "cuda:0")],
)
def test_where_a_task_computes(
    monkeypatch: pytest.MonkeyPatch, there: bool, gpu: int | None, wanted: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    monkeypatch.setattr(devices, "assigned_gpu", lambda: gpu)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert devices.task_device() == torch.device(wanted)


def tiny(folder: Path) -> Model:
    return load_model(str(folder), Path())


@pytest.mark.parametrize(
    ("device", "engine", "gpu", "wanted"),
    [
        ("auto", "auto", True, "torch fp16 cuda"),
        ("auto", "torch", True, "torch fp16 cuda"),
        ("cuda", "auto", True, "torch fp16 cuda"),
        ("auto", "auto", False, "openvino .* cpu"),
        ("auto", "openvino", True, "openvino .* cpu"),
        ("cpu", "auto", True, "openvino .* cpu"),
        ("cpu", "torch", True, "torch .* cpu"),
    ],
)
def test_what_is_taken(device: str, engine: str, gpu: bool, wanted: str, tiny_model: Path) -> None:
    settings = EMBED.model_copy(update={"device": device, "engine": engine})
    program = choose_program(tiny(tiny_model), settings, lambda: gpu)
    assert re.fullmatch(wanted, program.engine)


def test_openvino_on_a_gpu_is_refused() -> None:
    settings = EMBED.model_copy(update={"device": "cuda", "engine": "openvino"})
    with pytest.raises(FashionrecError, match="runs on the CPU"):
        check_settings(settings, lambda: True)


def test_local_tasks_see_the_gpu_of_this_machine(spark: SparkSession) -> None:
    assert executors_have_gpu(spark) == torch.cuda.is_available()


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
@pytest.mark.parametrize("job", ["nightly", "embed"])
def test_cuda_without_a_gpu_is_an_error_before_any_work(
    job: str,
    night: Store,
    catalogue: Path,
    run_job: RunJob,
    capfd: pytest.CaptureFixture[str],
) -> None:
    before = night.versions()
    paths = ("--catalogue", catalogue, "--warehouse", night.warehouse)
    assert run_job(job, *paths, "--set", "embed.device=cuda") == 1
    assert "embed.device = 'cuda', but torch sees no usable GPU" in capfd.readouterr().err
    after = night.versions()
    assert {name for name in after if after[name] != before[name]} == {RUNS.name}


def test_the_discovery_script_says_what_spark_expects(tmp_path: Path) -> None:
    nvidia_smi = tmp_path / "nvidia-smi"
    nvidia_smi.write_text("#!/bin/sh\nprintf '0\\n1\\n'\n")
    nvidia_smi.chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    script = ROOT / "conf" / "gpu-discovery.sh"
    said = subprocess.run([str(script)], env=env, capture_output=True, text=True, check=True)
    assert json.loads(said.stdout) == {"name": "gpu", "addresses": ["0", "1"]}


@pytest.mark.parametrize(("file", "tasks"), [("gpu.conf", 1), ("gpu-shared.conf", 4)])
def test_properties_for_one_and_for_several_tasks_per_gpu(file: str, tasks: int) -> None:
    lines = (ROOT / "conf" / file).read_text().splitlines()
    properties = dict(line.split() for line in lines if line and not line.startswith("#"))
    assert float(properties["spark.task.resource.gpu.amount"]) * tasks == 1
    assert int(properties["spark.executor.resource.gpu.amount"]) == 1
    assert (ROOT / properties["spark.executor.resource.gpu.discoveryScript"]).exists()
