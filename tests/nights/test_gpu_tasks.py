"""A real cluster that believes its worker to have two GPUs, 4 and 5: who is given which."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from standalone import Cluster, cluster

from conftest import ROOT
from fashionrec.store import Store

pytestmark = pytest.mark.slow

DEVICES = """
import json, time
from fashionrec.embed.frames import assigned_gpu
from fashionrec.embed.torch_engine import device_of
from fashionrec.session import spark_session

def device(_):
    time.sleep(1)  # so that all tasks run at once
    return str(device_of("cuda", assigned_gpu(), 8))

context = spark_session("devices").sparkContext
print(json.dumps(sorted(context.parallelize(range(4), 4).map(device).collect())))
"""
SHARED = {
    "spark.executor.resource.gpu.amount": "2",
    "spark.task.resource.gpu.amount": "0.5",
    "spark.executor.memory": "512m",
}


@pytest.fixture(scope="module")
def gpus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("gpus")
    script = folder / "discover.sh"
    script.write_text("""#!/bin/sh\necho '{"name": "gpu", "addresses": ["4", "5"]}'\n""")
    script.chmod(0o755)
    worker = "-Dspark.worker.resource.gpu"
    properties = f"{worker}.amount=2 {worker}.discoveryScript={script}"
    with cluster(folder / "cluster", workers=1, cores=4, properties=properties) as running:
        yield running


def on(cluster: Cluster, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a driver on the cluster whose tasks are given half a GPU each."""
    given = [f"--conf {name}={value}" for name, value in SHARED.items()]
    arguments = os.environ["PYSPARK_SUBMIT_ARGS"].replace("--master local[2]", "")
    env = os.environ | {
        "PYSPARK_SUBMIT_ARGS": f"--master {cluster.url} {' '.join(given)} {arguments}",
        "PYTHONPATH": str(ROOT / "lib"),
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    return subprocess.run(
        [sys.executable, *words], env=env, capture_output=True, text=True, timeout=180
    )


def test_two_tasks_share_each_of_two_gpus(gpus: Cluster) -> None:
    said = on(gpus, "-c", DEVICES)
    assert json.loads(said.stdout) == ["cuda:4", "cuda:4", "cuda:5", "cuda:5"], said.stderr


def test_the_doctor_sees_what_tasks_are_given(gpus: Cluster, night: Store, catalogue: Path) -> None:
    changes = {"across_executors": "true", "processes": "2", "device": "cuda"}
    sets = [word for k, v in changes.items() for word in ("--set", f"finetune.{k}={v}")]
    paths = ["--warehouse", str(night.warehouse), "--catalogue", str(catalogue)]
    said = on(gpus, str(ROOT / "jobs" / "doctor.py"), *paths, *sets, "--json")
    checks = {each["check"]: each for each in json.loads(said.stdout)["checks"]}
    assert said.returncode == 1
    assert checks["executors"]["status"] == "ok", said.stderr
    assert "4 tasks on" in checks["executors"]["found"]
    assert checks["their fashionrec"]["status"] == "ok"
    embed, train = checks["gpu for embed"], checks["gpu for training"]
    assert embed["found"].startswith("tasks are given GPUs 4, 5")
    assert train["status"] == "fail"
    assert "spark.task.resource.gpu.amount is 0.5" in train["found"]
