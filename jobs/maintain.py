"""Keep the tables' files in order: compaction, VACUUM, old runs; nightly does it when it is due."""

from fashionrec.cli import Context, add_run_options, run_job
from fashionrec.maintain import maintain
from fashionrec.runs import recorded
from fashionrec.session import spark_session
from fashionrec.store import Store


def main(context: Context) -> None:
    """Maintain the tables of the warehouse, due or not."""
    store = Store(spark_session("maintain"), context.warehouse)
    with recorded(store, "maintain", **context.run_options) as run, run.step("maintain"):
        maintain(store, context.config.maintain, run)


if __name__ == "__main__":
    run_job(__doc__, main, add_run_options)
