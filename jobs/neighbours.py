"""Find every product's most similar products from the embeddings of the current model."""

from fashionrec.cli import Context, add_step_options, run_job
from fashionrec.dry_run import dry_run
from fashionrec.embed.embed import require_complete
from fashionrec.models import current_version
from fashionrec.neighbours.neighbours import neighbours
from fashionrec.runs import recorded
from fashionrec.session import spark_session
from fashionrec.store import Store


def main(context: Context) -> None:
    """Search the embeddings of the warehouse."""
    if context.options.dry_run:
        dry_run(context, "neighbours")
        return
    store = Store(spark_session("neighbours"), context.warehouse)
    with recorded(store, "neighbours", **context.run_options) as run, run.step("neighbours"):
        version = current_version(store)
        require_complete(store, version)
        neighbours(store, version, context.config.neighbours, run)


if __name__ == "__main__":
    run_job(__doc__, main, add_step_options)
