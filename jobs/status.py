"""Print the last runs, and leave with exit status 4 where the published table is stale."""

import argparse
from datetime import timedelta

from fashionrec.cli import Context, run_job
from fashionrec.read import TableReader
from fashionrec.status import check_freshness, format_runs, last_runs
from fashionrec.tables import HELD, RECOMMENDATIONS


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this job alone."""
    parser.add_argument(
        "--runs", type=number, default=10, metavar="N", help="how many (default: 10)"
    )
    parser.add_argument(
        "--max-age",
        type=hours,
        default=timedelta(hours=26),
        metavar="HOURS",
        help="since the last night that succeeded (default: 26)",
    )


def number(text: str) -> int:
    """Read how many: argparse says of other texts that they are no 'number'."""
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text}: give 1 or more")
    return value


def hours(text: str) -> timedelta:
    """Read an age."""
    if not 0 <= (value := float(text)) <= 1e6:
        raise argparse.ArgumentTypeError(f"{text}: give hours, 0 to 1,000,000")
    return timedelta(hours=value)


def main(context: Context) -> None:
    """Look at the record of runs."""
    warehouse, options = context.warehouse, context.options
    runs = last_runs(warehouse, context.config.lock)
    print(format_runs(runs[: options.runs]), flush=True)
    held = TableReader(warehouse).state(RECOMMENDATIONS).get(HELD)
    print(check_freshness(runs, options.max_age, held))


if __name__ == "__main__":
    run_job(__doc__, main, add_options)
