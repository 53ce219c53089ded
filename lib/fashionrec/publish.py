"""The step `publish`: `recommendations`, ready to look up, in one atomic commit."""

import logging

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fashionrec.errors import RefusedError
from fashionrec.runs import Run
from fashionrec.store import Store
from fashionrec.tables import EMBEDDINGS, NEIGHBOURS, PRODUCTS, RECOMMENDATIONS

log = logging.getLogger(__name__)

# What a row tells of either product: the column of `products`, and its name beside a neighbour.
_TOLD = {
    "product_display_name": "neighbour_display_name",
    "gender": "neighbour_gender",
    "article_type": "neighbour_article_type",
    "base_colour": "neighbour_base_colour",
    "predicted_article_type": "neighbour_predicted_article_type",
}


def publish(store: Store, model_version: str, run: Run) -> None:
    """Bring `recommendations` up to date; a row keeps the run that last changed it."""
    read = {table.name: store.version(table) for table in (NEIGHBOURS, PRODUCTS, EMBEDDINGS)}
    state = {"model_version": model_version, "read": read}
    if store.state(RECOMMENDATIONS) == state:
        log.info("publish: nothing has changed")
        run.count("publish", rows_changed=0)
        return
    _require_lists_of(store, model_version)
    neighbours = store.read(NEIGHBOURS)
    told = _told(store, model_version)
    rows = recommendations(neighbours, told, run.run_id)
    written = store.sync(RECOMMENDATIONS, rows, ignore=["run_id"], state=state)
    run.count("publish", rows_changed=written.total)


def _require_lists_of(store: Store, model_version: str) -> None:
    """Refuse to publish lists that another model version made: a promotion is published whole."""
    found = store.scan(NEIGHBOURS, ["model_version"]).to_table()["model_version"].unique()
    others = sorted(set(found.to_pylist()) - {model_version})
    if others:
        raise RefusedError(
            f"{store.path(NEIGHBOURS)}: holds lists of {', '.join(others)}, but {model_version} is "
            "current: run nightly, which brings them up to date first"
        )


def _told(store: Store, model_version: str) -> DataFrame:
    """Return what a row tells of each product, by product_id."""
    predictions = (
        store.read(EMBEDDINGS)
        .where(F.col("model_version") == model_version)
        .select("product_id", "predicted_article_type")
    )
    products = store.read(PRODUCTS).join(predictions, on="product_id", how="left")
    return products.select("product_id", *_TOLD)


def recommendations(neighbours: DataFrame, told: DataFrame, run_id: str) -> DataFrame:
    """Return the table `recommendations`: neighbours, with what is told of both products."""
    neighbour = told.withColumnsRenamed({"product_id": "neighbour_id", **_TOLD})
    return (
        neighbours.join(told, on="product_id", how="inner")
        .join(neighbour, on="neighbour_id", how="inner")
        .withColumn("run_id", F.lit(run_id))
        .select(*RECOMMENDATIONS.names)
    )
