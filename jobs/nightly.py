"""The whole flow, in order: ingest, embed, neighbours, publish."""

from fashionrec.cli import Context, add_ingest_options, run_job
from fashionrec.dry_run import NIGHT, dry_run
from fashionrec.embed.devices import check_devices
from fashionrec.embed.embed import embed
from fashionrec.evaluation.published import warn_of_slices
from fashionrec.ingest.ingest import ingest
from fashionrec.maintain import maintain_if_due
from fashionrec.models import current_model
from fashionrec.neighbours.neighbours import neighbours
from fashionrec.publish import publish
from fashionrec.runs import recorded
from fashionrec.sample import ensure_catalogue
from fashionrec.session import spark_session
from fashionrec.sql import create_tables
from fashionrec.store import Store
from fashionrec.summary import print_summary


def main(context: Context) -> None:
    """Bring every table up to date with the catalogue."""
    settings, options = context.config, context.options
    if options.dry_run:
        dry_run(context, *NIGHT)
        return
    catalogue = context.catalogue or ensure_catalogue(context.sample, settings.sample)
    store = Store(spark_session("nightly"), context.warehouse)
    with recorded(store, "nightly", **context.run_options) as run:
        check_devices(store.spark, settings.embed)
        if settings.metastore.schema_name:
            create_tables(store, settings.metastore.schema_name)
        with run.step("ingest"):
            ingest(
                store,
                catalogue,
                settings.ingest,
                run,
                fetching=settings.fetch,
                expectations=settings.expectations,
                verify=options.verify,
                allow_removal=options.allow_removal,
            )
        with run.step("embed"):
            model = current_model(store, settings.model)
            embed(store, model, settings.embed, run)
        with run.step("neighbours"):
            neighbours(store, model.version, settings.neighbours, run)
        with run.step("publish"):
            publish(store, model.version, settings, run, allow_removal=options.allow_removal)
            warn_of_slices(store, settings.evaluate, run)
        maintain_if_due(store, settings.maintain, run)
    if not options.json:
        print_summary(store, run, catalogue)


if __name__ == "__main__":
    run_job(__doc__, main, add_ingest_options)
