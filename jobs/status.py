"""Print the last runs, and leave with exit status 4 where the published table is stale."""

import argparse
from datetime import timedelta

from fashionrec.cli import Context, run_job
from fashionrec.status import check_freshness, format_runs, last_runs


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this job alone."""
    parser.add_argument("--runs", type=int, default=10, metavar="N", help="how many (default: 10)")
    parser.add_argument(
        "--max-age",
        type=hours,
        default=26,
        metavar="HOURS",
        help="since the last night that succeeded (default: 26)",
    )


def hours(text: str) -> float:
    """Return an option's hours: what argparse says of others names this function."""
    if not 0 <= (number := float(text)) <= 1e6:
        raise ValueError
    return number


def main(context: Context) -> None:
    """Look at the record of runs."""
    runs = last_runs(context.warehouse)
    print(format_runs(runs[: context.options.runs]))
    print(check_freshness(runs, timedelta(hours=context.options.max_age)))


if __name__ == "__main__":
    run_job(__doc__, main, add_options)
