"""The benchmarks by name."""

from collections.abc import Callable

from fashionrec.benchmark.neighbours import benchmark_neighbours
from fashionrec.benchmark.report import Report
from fashionrec.config import Config

# Each takes the settings and a size; None: the benchmark's own.
BENCHMARKS: dict[str, Callable[[Config, int | None], Report]] = {
    "neighbours": benchmark_neighbours,
}
