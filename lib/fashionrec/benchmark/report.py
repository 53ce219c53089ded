"""Timing, memory, and how figures are printed."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Figures = dict[str, Any]

_REST = 20  # a look at the memory walks its pages: the watcher sleeps so many times as long


@dataclass
class Timings:
    """Seconds by what took them."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Time what happens inside."""
        began = time.perf_counter()
        yield
        self.seconds[what] = time.perf_counter() - began

    def figures(self) -> Figures:
        """The seconds, named as such."""
        return {f"{what}, seconds": taken for what, taken in self.seconds.items()}


def seconds_of(action: Callable[[], object]) -> float:
    """Run an action once and return how long it took."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


@contextmanager
def peak_memory(figures: Figures, name: str) -> Iterator[None]:
    """Record the most memory, in MB, that this session's processes held meanwhile.

    NAME is that of all together, NAME_per_worker that of the largest Python worker of Spark. What
    several processes map is shared out among them (the kernel's proportional set size).
    """
    done, peaks = threading.Event(), [0.0, 0.0]

    def watch() -> None:
        while True:
            began = time.perf_counter()
            sizes = _memory_mb()
            taken = time.perf_counter() - began
            workers = [size for pid, size in sizes.items() if _is_worker(pid)]
            peaks[0] = max(peaks[0], sum(sizes.values()))
            peaks[1] = max(peaks[1], *workers, 0.0)
            if done.wait(max(0.2, _REST * taken)):
                return

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
        figures[name], figures[f"{name}_per_worker"] = map(round, peaks)


def _memory_mb() -> dict[int, float]:
    """Return the memory of this driver, the JVM that it started, and Spark's Python workers, which
    the JVM starts, from /proc."""
    parents = _parents()
    own = [pid for pid in parents if os.getpid() in _ancestors(pid, parents)]
    return {pid: _share_mb(pid) for pid in own}


def _is_worker(pid: int) -> bool:
    try:
        return b"pyspark.daemon" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False  # it has ended


def _parents() -> dict[int, int]:
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text()
            except OSError:
                continue  # it has ended
            parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
    return parents


def _ancestors(pid: int, parents: dict[int, int]) -> list[int]:
    """Return the process, its parent, and so on."""
    line = []
    while pid and pid not in line:
        line.append(pid)
        pid = parents.get(pid, 0)
    return line


def _share_mb(pid: int) -> float:
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0  # it has ended
    shares = (line.split()[1] for line in rollup.splitlines() if line.startswith("Pss:"))
    return int(next(shares, "0")) * 1024 / 1e6


def print_figures(figures: Figures) -> None:
    """Print a line per figure, then all of them as one JSON object."""
    for name, value in figures.items():
        shown = f"{value:,.3f}" if isinstance(value, float) else str(value)
        print(f"  {name:<44}{shown:>14}")
    print(json.dumps(figures))
