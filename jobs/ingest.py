"""Bring the tables products, images, rejects, violations and files up to date with a catalogue."""

from fashionrec.cli import Context, add_ingest_options, run_job
from fashionrec.dry_run import dry_run
from fashionrec.errors import UsageError
from fashionrec.ingest.ingest import ingest
from fashionrec.runs import recorded
from fashionrec.session import spark_session
from fashionrec.store import Store


def main(context: Context) -> None:
    """Ingest the catalogue that --catalogue names."""
    if context.catalogue is None:
        raise UsageError("ingest needs a catalogue: give its folder with --catalogue")
    if context.options.dry_run:
        dry_run(context, "ingest")
        return
    store = Store(spark_session("ingest"), context.warehouse)
    options = context.options
    with recorded(store, "ingest", **context.run_options) as run, run.step("ingest"):
        ingest(
            store,
            context.catalogue,
            context.config.ingest,
            run,
            fetching=context.config.fetch,
            expectations=context.config.expectations,
            verify=options.verify,
            allow_removal=options.allow_removal,
        )


if __name__ == "__main__":
    run_job(__doc__, main, add_ingest_options)
