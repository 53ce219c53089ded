"""Write an embedding and a predicted class for each picture that the model has not seen."""

from fashionrec.cli import Context, add_step_options, run_job
from fashionrec.dry_run import dry_run
from fashionrec.embed.devices import check_devices
from fashionrec.embed.embed import embed
from fashionrec.models import current_model
from fashionrec.runs import recorded
from fashionrec.session import spark_session
from fashionrec.store import Store


def main(context: Context) -> None:
    """Embed the pictures of the warehouse."""
    settings = context.config
    if context.options.dry_run:
        dry_run(context, "embed")
        return
    store = Store(spark_session("embed"), context.warehouse)
    with recorded(store, "embed", **context.run_options) as run, run.step("embed"):
        check_devices(store.spark, settings.embed)
        embed(store, current_model(store, settings.model), settings.embed, run)


if __name__ == "__main__":
    run_job(__doc__, main, add_step_options)
