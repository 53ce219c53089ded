"""The real job in a process group of its own, and ways to end it; readers; checksums."""

import hashlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

import deltalake
from shop import Shop

from conftest import ROOT
from fashionrec import tables
from fashionrec.opening import dataset_of
from fashionrec.tables import RECOMMENDATIONS, Table

Process = subprocess.Popen[str]
Row = dict[str, Any]

# What may differ between a disturbed warehouse and an undisturbed one: runs, and when they were.
_APART = {"run_id", "promoted_at"}
# `reserves` decide how much a night must search, and nothing that is published.
COMPARED = [t for t in tables.NIGHTLY if t not in (tables.RUNS, tables.RESERVES)]


@dataclass(frozen=True)
class Nightly:
    """`nightly` as its users start it, over a shop and a warehouse."""

    shop: Shop
    warehouse: Path
    model: Path
    master: str = "local[2]"
    python: str = ""
    spark_options: tuple[str, ...] = ()

    @property
    def options(self) -> list[str]:
        """The job's options; few pictures per commit, so that there are several."""
        settings = [f"model={self.model}", "embed.commit_every=8"]
        sets = [word for setting in settings for word in ("--set", setting)]
        paths = ["--catalogue", str(self.shop.folder), "--warehouse", str(self.warehouse)]
        return [*paths, *sets]

    def start(self, job: str = "nightly", *options: str) -> Process:
        """Start it, or another job, in a session of its own, as a scheduler does."""
        env = {k: v for k, v in os.environ.items() if k != "PYSPARK_SUBMIT_ARGS"}
        env |= {"PYSPARK_PYTHON": self.python} if self.python else {}
        words = [str(ROOT / "spark-submit.sh"), job, "--no-install", "--driver-memory", "1g"]
        words += self.spark_options
        return subprocess.Popen(
            [*words, *self.options, *options],
            env=env
            | {"MASTER": self.master, "SPARK_LOG_DIR": str(self.shop.folder.parent / "logs")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def finish(self) -> float:
        """Let a night end; return the seconds of its work, Spark's start apart."""
        process = self.start()
        wait_for_work(process, self.warehouse)
        began = time.monotonic()
        output, _ = process.communicate(timeout=900)
        assert process.returncode == 0, output
        return time.monotonic() - began


def wait_for_work(process: Process, warehouse: Path) -> None:
    """Wait until the run holds the warehouse: what comes before changes nothing."""
    wait_until(process, lambda: f'"pid": {process.pid},' in _read(warehouse / "_lock"))


def wait_until(process: Process, happens: Callable[[], bool]) -> bool:
    """Look every millisecond; False where the process ended first."""
    while not happens():
        if process.poll() is not None:
            return False
        time.sleep(0.001)
    return True


def wait_for_line(process: Process, text: str) -> None:
    """Read what it says until a line has this text."""
    assert process.stdout is not None
    assert any(text in line for line in process.stdout), f"it never said {text!r}"


def wait_for_commit(process: Process, warehouse: Path, table: str, version: int) -> None:
    """Wait until a table has a version; 0 and 1 make it, without a row."""
    name = f"{table}/{version:020}.json"
    assert wait_until(process, lambda: name in log_files(warehouse))


def wait_for_log(process: Process, warehouse: Path, writes: int) -> bool:
    """Wait until so many files have appeared in the tables' logs."""
    seen = log_files(warehouse)

    def written() -> bool:
        return len(log_files(warehouse) - seen) >= writes

    return wait_until(process, written)


def log_files(warehouse: Path) -> set[str]:
    """Return all files in the tables' logs, unfinished ones included."""
    found = set()
    for table in tables.NIGHTLY:
        with suppress(FileNotFoundError):
            found |= {
                f"{table.name}/{n}" for n in os.listdir(warehouse / table.name / "_delta_log")
            }
    return found


def kill(process: Process) -> bool:
    """Kill the process group; return whether it was still alive."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return process.returncode == -signal.SIGKILL


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def checksums(warehouse: Path) -> dict[str, str]:
    """Return a checksum per table over its rows, runs and times apart."""
    return {table.name: _checksum(warehouse, table) for table in COMPARED}


def _checksum(warehouse: Path, table: Table) -> str:
    columns = [name for name in table.names if name not in _APART]
    rows = dataset_of(str(warehouse / table.name)).to_table(columns=columns).to_pylist()
    lines = sorted(repr({k: row[k] for k in columns}) for row in rows)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@dataclass
class Reader:
    """Someone who polls `recommendations` by delta-rs, and keeps every version that he saw."""

    warehouse: Path
    seen: dict[int, list[Row]] = field(default_factory=dict)
    polls: int = 0
    error: BaseException | None = None

    def look(self) -> None:
        """Read the table if it has a version that was not seen yet."""
        path = str(self.warehouse / RECOMMENDATIONS.name)
        if not deltalake.DeltaTable.is_deltatable(path):
            assert not self.seen, "the table has gone"
            return
        version = deltalake.DeltaTable(path).version()
        self.polls += 1
        if version not in self.seen:
            self.seen[version] = dataset_of(path, version).to_table().to_pylist()

    def check(self, states: list[set[int]]) -> None:
        """Check that each version is a whole night: full lists over one state of the shop."""
        assert self.error is None, repr(self.error)
        # The table begins empty, in commits that follow each other faster than anyone looks.
        nights = {version: rows for version, rows in sorted(self.seen.items()) if rows}
        assert list(nights) == list(range(min(nights), max(nights) + 1))
        for version, rows in nights.items():
            assert whole_night(rows) in states, f"version {version} is no whole night"


def whole_night(rows: list[Row]) -> set[int]:
    """Return the products that have lists; each is checked to be full and to end in products."""
    ranks: dict[tuple[str, int], list[int]] = {}
    for row in rows:
        ranks.setdefault((row["list"], row["product_id"]), []).append(row["rank"])
    products = {product for name, product in ranks if name == "similar"}
    assert {row["neighbour_id"] for row in rows} <= products
    assert len({row["model_version"] for row in rows}) == 1
    for (name, _), found in ranks.items():
        full = 5 if name == "similar" else len(found)
        assert sorted(found) == list(range(1, full + 1))
    return products


@contextmanager
def reading(warehouse: Path) -> Iterator[Reader]:
    """Poll `recommendations` in a thread meanwhile."""
    reader, done = Reader(warehouse), Event()

    def poll() -> None:
        while not done.wait(0.1):
            try:
                reader.look()
            except BaseException as error:
                reader.error = error
                return

    thread = Thread(target=poll, daemon=True)
    thread.start()
    try:
        yield reader
    finally:
        done.set()
        thread.join()
        reader.look()
