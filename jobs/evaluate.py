"""Judge a model version beside the current one, on rows that neither was trained on."""

import argparse
from functools import partial

from fashionrec.cli import Context, add_run_options, run_job
from fashionrec.evaluation.arrays import contents_of
from fashionrec.evaluation.evaluate import evaluate_wanted
from fashionrec.evaluation.report import print_evaluation, report_folder, write_report
from fashionrec.runs import recorded
from fashionrec.session import spark_session
from fashionrec.store import Store


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this job alone."""
    add_run_options(parser)
    parser.add_argument("model", nargs="?", help="model folder; left out: the current model")
    parser.add_argument("--alone", action="store_true", help="leave the current model out")


def main(context: Context) -> None:
    """Evaluate, write the report, and print where it is."""
    store, settings = Store(spark_session("evaluate"), context.warehouse), context.config.evaluate
    options = context.options
    # It holds the warehouse: what a model says of the pictures is written to `embeddings`.
    with recorded(store, "evaluate", **context.run_options) as run, run.step("evaluate"):
        evaluation = evaluate_wanted(store, options.model, context.config, run, alone=options.alone)
        folder = report_folder(evaluation, settings)
        report = write_report(evaluation, partial(contents_of, store), folder, settings.seed)
    if not options.json:
        print_evaluation(evaluation, report)


if __name__ == "__main__":
    run_job(__doc__, main, add_options)
