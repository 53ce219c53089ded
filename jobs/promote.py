"""Make a model version the current one, if it is not worse; nightly then embeds anew with it."""

import argparse

from fashionrec.cli import Context, add_run_options, run_job
from fashionrec.evaluation.evaluate import evaluate_wanted
from fashionrec.evaluation.promote import promote
from fashionrec.runs import recorded
from fashionrec.session import spark_session
from fashionrec.store import Store


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this job alone."""
    add_run_options(parser)
    parser.add_argument("model", help="model folder, as finetune printed it")


def main(context: Context) -> None:
    """Evaluate, and promote or refuse."""
    store = Store(spark_session("promote"), context.warehouse)
    with recorded(store, "promote", **context.run_options) as run, run.step("promote"):
        evaluation = evaluate_wanted(store, context.options.model, context.config, run)
        told = promote(store, evaluation, context.config.promote)
    if context.options.json:
        return
    print(f"{evaluation.candidate.version} is now current: nightly publishes what it finds")
    for line in told:
        print(f"  {line}")


if __name__ == "__main__":
    run_job(__doc__, main, add_options)
