"""Keep the tables' files in order: compaction, VACUUM, old runs; nightly does it when it is due."""

from fashionrec.cli import Context, add_run_options, run_job
from fashionrec.maintain import maintain
from fashionrec.runs import recorded
from fashionrec.write import TableWriter


def main(context: Context) -> None:
    """Maintain the tables of the warehouse, due or not; no JVM is started."""
    store = TableWriter(context.warehouse)
    with recorded(store, "maintain", **context.run_options) as run, run.step("maintain"):
        maintain(store, context.config.maintain, run)


if __name__ == "__main__":
    run_job(__doc__, main, add_run_options)
