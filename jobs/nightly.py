"""The whole flow, in order: ingest, embed, neighbours, publish."""

import argparse

from fashionrec.cli import Context, run_job
from fashionrec.embed.embed import embed
from fashionrec.ingest.ingest import ingest
from fashionrec.models import current_model
from fashionrec.neighbours.neighbours import neighbours
from fashionrec.publish import publish
from fashionrec.runs import recorded
from fashionrec.sample import ensure_catalogue
from fashionrec.session import spark_session
from fashionrec.store import Store
from fashionrec.summary import print_summary


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this job alone."""
    parser.add_argument("--run-id", help="name of the run; given again, it is the same run")


def main(context: Context) -> None:
    """Bring every table up to date with the catalogue."""
    settings = context.config
    catalogue = context.catalogue or ensure_catalogue(context.sample, settings.sample)
    store = Store(spark_session("nightly"), context.warehouse)
    with recorded(store, "nightly", context.options.run_id) as run:
        with run.step("ingest"):
            ingest(store, catalogue, settings.ingest, run)
        with run.step("embed"):
            model = current_model(store, settings.model)
            embed(store, model, settings.embed, run)
        with run.step("neighbours"):
            neighbours(store, model.version, settings.neighbours, run)
        with run.step("publish"):
            publish(store, model.version, run)
    print_summary(store, run, catalogue)


if __name__ == "__main__":
    run_job(__doc__, main, add_options)
