"""Spark's own standalone cluster on loopback: a master and workers as processes of their own."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

_SPARK_CLASS = Path(os.environ["SPARK_HOME"]) / "bin" / "spark-class"
_DEPLOY = "org.apache.spark.deploy"
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Cluster:
    """A running cluster: its address, and its workers, whose children are the executors."""

    url: str
    workers: list[psutil.Process]

    def executors(self) -> list[psutil.Process]:
        """Return the executors of whatever runs now."""
        return [child for worker in self.workers for child in worker.children()]


@contextmanager
def cluster(
    folder: Path, workers: int = 2, cores: int = 1, properties: str = ""
) -> Iterator[Cluster]:
    """Start a master and workers of 1 GB each; end them, and what they started.

    properties: -Dspark.worker... of the workers.
    """
    port = _free_port()
    url = f"spark://{_LOOPBACK}:{port}"
    with ExitStack() as ends:
        master = ["master.Master", "--port", str(port)]
        ends.enter_context(_daemon(folder / "master", *master))
        _wait_for(port)
        size = ["--cores", str(cores), "--memory", "1g"]
        started = [
            ends.enter_context(
                _daemon(
                    place,
                    "worker.Worker",
                    *size,
                    "--work-dir",
                    str(place),
                    url,
                    properties=properties,
                )
            )
            for place in (folder / f"worker-{number}" for number in range(workers))
        ]
        yield Cluster(url, started)


@contextmanager
def _daemon(
    folder: Path, name: str, *options: str, properties: str = ""
) -> Iterator[psutil.Process]:
    folder.mkdir(parents=True)
    words = [f"{_DEPLOY}.{name}", "--host", _LOOPBACK, "--webui-port", "0", *options]
    env = {k: v for k, v in os.environ.items() if k not in ("PYSPARK_SUBMIT_ARGS", "PYTHONPATH")}
    with (folder / "log").open("w") as log:
        started = subprocess.Popen(
            [str(_SPARK_CLASS), *words],
            env=env
            | {"SPARK_LOCAL_IP": _LOOPBACK, "SPARK_DAEMON_MEMORY": "256m"}
            | {"SPARK_WORKER_OPTS": properties},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    process = psutil.Process(started.pid)
    try:
        yield process
    finally:
        family = [*process.children(recursive=True), process]
        for member in family:
            member.kill()
        started.wait()


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind((_LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((_LOOPBACK, port), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < end, f"nothing listens on port {port}"
            time.sleep(0.1)
