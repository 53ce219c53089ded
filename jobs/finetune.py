"""Train a new model version on the tables, on one machine or across executors."""

import argparse

from fashionrec.cli import Context, add_run_options, run_job
from fashionrec.runs import recorded
from fashionrec.session import spark_session
from fashionrec.store import Store
from fashionrec.training.finetune import checkpoints_of, finetune
from fashionrec.training.version import print_version


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this job alone."""
    add_run_options(parser)
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    setting = {"action": "append", "dest": "overrides", "default": []}
    parser.add_argument("--processes", type="finetune.processes={}".format, metavar="N", **setting)
    setting["action"] = "append_const"
    parser.add_argument("--from-scratch", const="finetune.start=scratch", **setting)


def main(context: Context) -> None:
    """Train, and print the folder of the model version and its figures."""
    store = Store(spark_session("finetune"), context.warehouse)
    options, part = context.options, checkpoints_of(context.config.finetune)
    # It holds no more than its checkpoints: it takes hours, and nights go on beside it.
    with recorded(store, "finetune", **context.run_options, part=part) as run:
        folder = finetune(store, context.config, run, resume=options.resume)
    if not options.json:
        print_version(folder)


if __name__ == "__main__":
    run_job(__doc__, main, add_options)
