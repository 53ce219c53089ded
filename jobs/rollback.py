"""Put an earlier published night back; it stays until `publish --resume`."""

import argparse

from fashionrec.cli import Context, add_run_options, run_job
from fashionrec.rollback import roll_back
from fashionrec.runs import recorded
from fashionrec.session import spark_session
from fashionrec.store import Store


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this job alone."""
    add_run_options(parser)
    parser.add_argument("--to", metavar="RUN", help="its run; left out: the night before")


def main(context: Context) -> None:
    """Roll the published table back, and nothing else."""
    store = Store(spark_session("rollback"), context.warehouse)
    with recorded(store, "rollback", **context.run_options):
        night = roll_back(store, context.options.to)
    if not context.options.json:
        print(f"recommendations are those of {night} until publish --resume")


if __name__ == "__main__":
    run_job(__doc__, main, add_options)
