"""Bring the tables products, images, rejects and files up to date with a catalogue."""

from fashionrec.cli import Context, run_job
from fashionrec.errors import UsageError
from fashionrec.ingest.ingest import ingest
from fashionrec.runs import recorded
from fashionrec.session import spark_session
from fashionrec.store import Store


def main(context: Context) -> None:
    """Ingest the catalogue that --catalogue names."""
    if context.catalogue is None:
        raise UsageError("ingest needs a catalogue: give its folder with --catalogue")
    store = Store(spark_session("ingest"), context.warehouse)
    with recorded(store, "ingest") as run, run.step("ingest"):
        ingest(store, context.catalogue, context.config.ingest, run)


if __name__ == "__main__":
    run_job(__doc__, main)
