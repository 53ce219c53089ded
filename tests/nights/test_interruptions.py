"""Other ends of a night: Ctrl-C, killed processes, a full disk; and nights on a cluster.

It is a real standalone one, whose executors have what `pack` made alone; two of them train as well.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from killing import Nightly, Process, checksums, wait_for_commit, wait_for_line, wait_for_work
from shop import Shop
from standalone import Cluster, cluster

from conftest import ROOT, write_model
from fashionrec.embed.model import load_model
from fashionrec.opening import dataset_of
from fashionrec.pack import ARCHIVE
from fashionrec.tables import EMBEDDINGS, IMAGES, RUNS

pytestmark = pytest.mark.slow

PYTHON = "environment/bin/python"


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Nightly:
    """An undisturbed night."""
    folder = tmp_path_factory.mktemp("calm")
    model = write_model(folder / "tiny", seed=0)
    nightly = Nightly(Shop(folder / "catalogue", seed=3), folder / "warehouse", model)
    nightly.finish()
    return nightly


@pytest.fixture
def nightly(calm: Nightly, tmp_path: Path) -> Nightly:
    return replace(calm, warehouse=tmp_path / "warehouse")


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder that `pack` writes, with the environment unpacked as on an image of nodes."""
    folder = tmp_path_factory.mktemp("packed")
    job = [sys.executable, str(ROOT / "jobs" / "pack.py")]
    subprocess.run([*job, "--output", str(folder)], check=True, capture_output=True)
    (folder / "environment").mkdir()
    tar = ["tar", "-xzf", str(folder / ARCHIVE), "-C", str(folder / "environment")]
    subprocess.run(tar, check=True)
    yield folder
    shutil.rmtree(folder)  # nine gigabytes


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Cluster]:
    with cluster(tmp_path / "cluster", workers=2) as started:
        yield started
    shutil.rmtree(tmp_path / "cluster")  # each executor unpacks the environment


@pytest.fixture
def clustered(nightly: Nightly, packed: Path, running: Cluster) -> Nightly:
    """A night on the cluster, by the environment that is on its nodes."""
    return replace(nightly, master=running.url, python=str(packed / PYTHON))


def assert_one_line(output: str, says: str) -> None:
    lines = output.splitlines()
    assert [line for line in lines if line.startswith("error: ")] == lines[-1:]
    assert says in lines[-1]
    assert "Traceback" not in output


def last_status(warehouse: Path) -> str:
    rows = dataset_of(str(warehouse / RUNS.name)).to_table().to_pylist()
    return str(max(rows, key=lambda row: row["started_at"])["status"])


def assert_repairs(nightly: Nightly, calm: Nightly) -> None:
    nightly.finish()
    assert checksums(nightly.warehouse) == checksums(calm.warehouse)


@pytest.mark.parametrize("table", [IMAGES.name, EMBEDDINGS.name])
def test_ctrl_c(table: str, nightly: Nightly, calm: Nightly) -> None:
    process = nightly.start()
    wait_for_work(process, nightly.warehouse)
    wait_for_commit(process, nightly.warehouse, table, 2)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 130, output
    assert_one_line(output, "interrupted")
    assert not (nightly.warehouse / "_lock").exists()
    assert last_status(nightly.warehouse) == "failed"
    assert_repairs(nightly, calm)


def test_a_killed_worker(nightly: Nightly, calm: Nightly) -> None:
    process = nightly.start()
    wait_for_work(process, nightly.warehouse)
    wait_for_commit(process, nightly.warehouse, EMBEDDINGS.name, 2)
    for worker in workers_of(process):
        worker.kill()
    output, _ = process.communicate(timeout=900)
    assert process.returncode in (0, 1), output
    if process.returncode:
        assert_one_line(output, "")
        assert last_status(nightly.warehouse) == "failed"
    assert_repairs(nightly, calm)


def workers_of(process: Process) -> list[psutil.Process]:
    """The daemon of pyspark is one of the children; what it forked does the work."""
    daemons = [
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if "pyspark.daemon" in child.cmdline()
    ]
    workers = [child for daemon in daemons for child in daemon.children()]
    assert workers
    return workers


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB, less than the tables of a night."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root may mount a disk that is soon full")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk(small_disk: Path, nightly: Nightly, calm: Nightly) -> None:
    nightly = replace(nightly, warehouse=small_disk / "warehouse")
    process = nightly.start()
    output, _ = process.communicate(timeout=900)
    assert process.returncode == 1, output
    assert_one_line(output, "No space left on device")
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    assert_repairs(nightly, calm)


def test_the_nodes_python_knows_nothing_of_the_project() -> None:
    env = {"PATH": os.environ["PATH"]}
    words = ["python3.11", "-c", "import fashionrec"]
    done = subprocess.run(words, capture_output=True, env=env, cwd="/")
    assert b"No module named 'fashionrec'" in done.stderr


def test_an_environment_that_is_sent_along(clustered: Nightly, packed: Path, calm: Nightly) -> None:
    archives = ("--archives", f"{packed / ARCHIVE}#environment")
    sent = replace(clustered, python=f"./{PYTHON}", spark_options=archives)
    sent.finish()
    assert checksums(sent.warehouse) == checksums(calm.warehouse)


@pytest.mark.parametrize("step", ["embed", "neighbours"])
def test_a_killed_worker_costs_time_alone(
    step: str, clustered: Nightly, calm: Nightly, running: Cluster
) -> None:
    process = clustered.start()
    wait_for_work(process, clustered.warehouse)
    wait_for_line(process, f"{step}: begins")
    worker = running.workers[0]
    for lost in (worker, *worker.children(recursive=True)):  # as where its machine is lost
        lost.kill()
    output, _ = process.communicate(timeout=900)
    assert process.returncode == 0, output
    assert checksums(clustered.warehouse) == checksums(calm.warehouse)


def test_a_killed_executor_costs_time_alone(
    clustered: Nightly, calm: Nightly, running: Cluster
) -> None:
    process = clustered.start()
    wait_for_work(process, clustered.warehouse)
    wait_for_line(process, "embed: begins")
    running.executors()[0].kill()
    output, _ = process.communicate(timeout=900)
    assert process.returncode == 0, output
    assert checksums(clustered.warehouse) == checksums(calm.warehouse)


def test_two_executors_train_one_model(clustered: Nightly, calm: Nightly, tmp_path: Path) -> None:
    changes = {"min_images": 3, "sample": 6, "row_group": 5, "batch_size": 8, "epochs": 1}
    places = {"start": calm.model, "folder": tmp_path / "models", "across_executors": "true"}
    sets = [w for k, v in (changes | places).items() for w in ("--set", f"finetune.{k}={v}")]
    shutil.copytree(calm.warehouse, clustered.warehouse)
    process = clustered.start("finetune", "--processes", "2", *sets)
    output, _ = process.communicate(timeout=900)
    assert process.returncode == 0, output
    [folder] = (tmp_path / "models").iterdir()
    assert load_model(str(folder), tmp_path).version == folder.name
