"""Audit the neighbours and publish them as the table `recommendations`, in one commit."""

import argparse

from fashionrec.cli import Context, add_removal_option, add_step_options, run_job
from fashionrec.dry_run import dry_run
from fashionrec.models import current_version
from fashionrec.publish import publish
from fashionrec.runs import recorded
from fashionrec.session import spark_session
from fashionrec.store import Store


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this job alone."""
    add_step_options(parser)
    add_removal_option(parser)
    parser.add_argument("--resume", action="store_true", help="end the hold that a rollback began")


def main(context: Context) -> None:
    """Publish the neighbours of the warehouse."""
    if context.options.dry_run:
        dry_run(context, "publish")
        return
    options, store = context.options, Store(spark_session("publish"), context.warehouse)
    with recorded(store, "publish", **context.run_options) as run, run.step("publish"):
        publish(
            store,
            current_version(store),
            context.config,
            run,
            allow_removal=options.allow_removal,
            resume=options.resume,
        )


if __name__ == "__main__":
    run_job(__doc__, main, add_options)
