"""Measure: `benchmark neighbours`. Prints a table, and figures as JSON in the last line."""

import argparse

from fashionrec.benchmark.registry import BENCHMARKS
from fashionrec.cli import Context, run_job


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this job alone."""
    parser.add_argument("name", metavar="NAME", choices=sorted(BENCHMARKS), help="what to measure")
    parser.add_argument("--size", type=int, help="how many products")


def main(context: Context) -> None:
    """Measure, and print what was found."""
    options = context.options
    print(BENCHMARKS[options.name](context.config, options.size).text())


if __name__ == "__main__":
    run_job(__doc__, main, add_options)
