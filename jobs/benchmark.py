"""Measure a part of the system and print its figures, as a table and as one JSON object."""

import argparse
from pathlib import Path

from fashionrec.benchmark import BENCHMARKS
from fashionrec.benchmark.report import print_figures
from fashionrec.cli import Context, run_job


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this job alone."""
    parser.add_argument("name", choices=sorted(BENCHMARKS))
    parser.add_argument(
        "--size", type=int, help="how many pictures or vectors to measure with; scale: at most"
    )
    parser.add_argument(
        "--real", action="store_true", help="neighbours: on the embeddings of --warehouse"
    )
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="scale: draw the figures as a chart too"
    )


def main(context: Context) -> None:
    """Run one benchmark."""
    print_figures(BENCHMARKS[context.options.name](context))


if __name__ == "__main__":
    run_job(__doc__, main, add_options)
