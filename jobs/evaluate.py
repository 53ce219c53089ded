"""Judge a model version beside the current one, on rows that neither was trained on."""

import argparse
from functools import partial

from fashionrec.cli import Context, run_job
from fashionrec.evaluation.arrays import contents_of
from fashionrec.evaluation.evaluate import evaluate_wanted
from fashionrec.evaluation.report import print_evaluation, report_folder, write_report
from fashionrec.runs import recorded
from fashionrec.session import spark_session
from fashionrec.store import Store


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this job alone."""
    parser.add_argument("model", nargs="?", help="model folder; left out: the current model")
    parser.add_argument("--alone", action="store_true", help="leave the current model out")


def main(context: Context) -> None:
    """Evaluate, write the report, and print where it is."""
    store, settings = Store(spark_session("evaluate"), context.warehouse), context.config.evaluate
    wanted, alone = context.options.model, context.options.alone
    with recorded(store, "evaluate") as run, run.step("evaluate"):
        evaluation = evaluate_wanted(store, wanted, context.config, run, alone=alone)
        folder = report_folder(evaluation, settings)
        report = write_report(evaluation, partial(contents_of, store), folder, settings.seed)
    print_evaluation(evaluation, report)


if __name__ == "__main__":
    run_job(__doc__, main, add_options)
