"""Measurements that print their figures: each is a ratio to something measured in the same run."""

from collections.abc import Callable

from fashionrec.benchmark import dashboard, embed, ingest, lookup, neighbours, scale
from fashionrec.benchmark.report import Figures
from fashionrec.cli import Context

BENCHMARKS: dict[str, Callable[[Context], Figures]] = {
    "ingest": ingest.run,
    "embed": embed.run,
    "lookup": lookup.run,
    "neighbours": neighbours.run,
    "dashboard": dashboard.run,
    "scale": scale.run,
}
