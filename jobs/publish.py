"""Publish the neighbours as the table `recommendations`, in one commit."""

from fashionrec.cli import Context, run_job
from fashionrec.models import current_version
from fashionrec.publish import publish
from fashionrec.runs import recorded
from fashionrec.session import spark_session
from fashionrec.store import Store


def main(context: Context) -> None:
    """Publish the neighbours of the warehouse."""
    store = Store(spark_session("publish"), context.warehouse)
    with recorded(store, "publish") as run, run.step("publish"):
        publish(store, current_version(store), run)


if __name__ == "__main__":
    run_job(__doc__, main)
