"""Serve the web page over the tables: explore the catalogue, find similar, judge the model."""

import argparse

from fashionrec.cli import Context, run_job
from fashionrec.dashboard.launch import launch


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this job alone."""
    for name in ("host", "port"):
        parser.add_argument(
            f"--{name}",
            action="append",
            dest="overrides",
            type=f"dashboard.{name}={{}}".format,
            help=f"to listen on (default: dashboard.{name})",
        )


def main(context: Context) -> None:
    """Serve until interrupted; no JVM is started."""
    warehouse = str(context.warehouse)
    launch(context.config.model_copy(update={"warehouse": warehouse}))


if __name__ == "__main__":
    run_job(__doc__, main, add_options)
