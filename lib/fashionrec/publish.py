"""The step `publish`: `recommendations`, ready to look up, in one atomic commit."""

import logging
from collections.abc import Iterable
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fashionrec.audit_names import as_count
from fashionrec.audit_rules import Night
from fashionrec.audits import Measured, audit
from fashionrec.config import Config
from fashionrec.duplicates import are_found, find_duplicates
from fashionrec.errors import RefusedError
from fashionrec.neighbours.searchable import is_searchable, write_searchable
from fashionrec.read import TableReader
from fashionrec.runs import Run
from fashionrec.session import in_one_task
from fashionrec.store import Store
from fashionrec.tables import EMBEDDINGS, FILES, HELD, NEIGHBOURS, PRODUCTS, RECOMMENDATIONS
from fashionrec.write import TableWriter

log = logging.getLogger(__name__)

# What a row tells of either product: the column of `products`, and its name beside a neighbour.
_TOLD = {
    "product_display_name": "neighbour_display_name",
    "gender": "neighbour_gender",
    "article_type": "neighbour_article_type",
    "base_colour": "neighbour_base_colour",
    "predicted_article_type": "neighbour_predicted_article_type",
}


def publish(
    store: Store,
    model_version: str,
    settings: Config,
    run: Run,
    *,
    allow_removal: bool = False,
    resume: bool = False,
) -> None:
    """Audit the lists, then bring `recommendations` up to date in one commit.

    A row keeps the run that last changed it. A table that was rolled back stays as it is, unless
    `resume`. After the commit come the files that pictures are searched by.

    Raises:
        RefusedError: an audit found what must not be published; nothing was written.
    """
    state, last = state_of(store, model_version), store.state(RECOMMENDATIONS)
    changed = 0
    if HELD in last and not resume:
        run.warn("publish", f"{last[HELD]} was rolled back to, and stays until publish --resume")
    elif last == state:
        log.info("publish: nothing has changed")
    else:
        changed = _publish(store, state, settings, run, allow_removal)
    run.count("publish", rows_changed=changed)
    if not is_searchable(store, model_version):
        reader = TableReader(store.warehouse)
        folder = in_one_task(store.spark, lambda: write_searchable(reader, model_version))
        log.info("publish: wrote %s for searches by picture", folder)
    limits = settings.near_duplicates
    if not are_found(store, limits):
        writer = TableWriter(store.warehouse)
        in_one_task(store.spark, lambda: find_duplicates(writer, limits))


def state_of(store: TableReader, model_version: str) -> dict[str, Any]:
    """Return all that `recommendations` depend on."""
    read = {table.name: store.version(table) for table in (NEIGHBOURS, PRODUCTS, EMBEDDINGS)}
    return {"model_version": model_version, "read": read}


def _publish(
    store: Store, state: dict[str, Any], settings: Config, run: Run, allow_removal: bool
) -> int:
    require_lists_of(store, state["model_version"])
    told = _told(store, state["model_version"])
    rows = recommendations(store.read(NEIGHBOURS), told, run.run_id).persist()
    rules = dict(settings.audits)
    if allow_removal:
        rules["removed"] = rules["removed"].model_copy(update={"severity": "off"})
    _judge(audit(_night(store, rows, state["model_version"], settings.neighbours.k), rules), run)
    written = store.sync(RECOMMENDATIONS, rows, ignore=["run_id"], state=state)
    rows.unpersist()
    return written.total


def _night(store: Store, rows: DataFrame, model_version: str, k: int) -> Night:
    of_model = F.col("model_version") == model_version
    counts = store.state(FILES).get("counts", {})
    first = store.is_empty(RECOMMENDATIONS)
    return Night(
        rows=rows,
        neighbours=store.read(NEIGHBOURS),
        products=store.read(PRODUCTS),
        embedded=store.read(EMBEDDINGS).where(of_model).select("product_id"),
        published=None if first else store.read(RECOMMENDATIONS),
        model_version=model_version,
        lines=counts.get("lines", 0),
        rejected_lines=counts.get("rejected_lines", 0),
        k=k,
    )


def _judge(found: Iterable[Measured], run: Run) -> None:
    """Record what was measured, warn of what a rule only warns of, and refuse the rest together.

    Raises:
        RefusedError: naming each rule, its value, its limit and what breaks it.
    """
    measured = list(found)
    run.count("audits", **dict(as_count(each.rule, each.value) for each in measured))
    refused = []
    for broken in (each for each in measured if each.is_broken):
        if broken.setting.severity == "refuse":
            refused.append(str(broken))
        else:
            run.warn("publish", str(broken))
    if refused:
        raise RefusedError(f"recommendations stay as they were: {'; '.join(refused)}")


def require_lists_of(store: TableReader, model_version: str) -> None:
    """Refuse to publish lists that another model version made: a promotion is published whole."""
    others = sorted(store.distinct(NEIGHBOURS, "model_version") - {model_version})
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
        .orderBy(*RECOMMENDATIONS.key[1:])  # a product's rows lie together
    )
