"""The table `training_set`: which pictures are trained on and which validate, drawn by a seed."""

import logging

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from fashionrec.errors import FashionrecError
from fashionrec.model_settings import FinetuneSettings
from fashionrec.store import Store
from fashionrec.tables import IMAGES, PRODUCTS, TRAINING_SET
from fashionrec.training.layout import in_portions, with_portion

log = logging.getLogger(__name__)

# The settings that decide the rows.
_DRAW = ("min_images", "sample", "train_share", "largest_types", "split", "seed", "row_group")


def draw_training_set(store: Store, settings: FinetuneSettings, ranks: int) -> int:
    """Bring `training_set` up to date for so many processes, and return its version.

    Raises:
        FashionrecError: no article type has enough pictures, or a side of the split is too small.
    """
    store.create_missing([TRAINING_SET])
    state = {
        "draw": {name: getattr(settings, name) for name in _DRAW},
        "ranks": ranks,
        "products": store.version(PRODUCTS),
        "images": store.version(IMAGES),
    }
    if store.state(TRAINING_SET) == state:
        log.info("training_set: as it was drawn before")
        return store.version(TRAINING_SET)
    drawn = with_split(sampled(_pictured(store), settings), settings).persist()
    try:
        placed = with_portion(drawn, _counts(drawn, ranks), settings, ranks)
        rows = placed.join(_contents(store), on="product_id", how="inner")
        return store.replace(TRAINING_SET, in_portions(rows), state)
    finally:
        drawn.unpersist()


def _pictured(store: Store) -> DataFrame:
    """Return the products that have a picture and an article type."""
    products = store.read(PRODUCTS).where("image_sha256 IS NOT NULL AND article_type IS NOT NULL")
    return products.select(
        "product_id", "article_type", "gender", "base_colour", "product_display_name", "year"
    )


def _contents(store: Store) -> DataFrame:
    return store.read(IMAGES).select("product_id", "content")


def _counts(drawn: DataFrame, ranks: int) -> dict[str, int]:
    counts = {row["split"]: row["count"] for row in drawn.groupBy("split").count().collect()}
    for split in ("train", "validation"):
        if counts.get(split, 0) < ranks:
            raise FashionrecError(
                f"training_set: {counts.get(split, 0)} rows to {split}, {ranks} processes need one "
                "each: lower finetune.min_images (conf/sample.toml does) or change finetune.split"
            )
    log.info("training_set: %(train)s rows to train, %(validation)s to validate", counts)
    return counts


def sampled(products: DataFrame, settings: FinetuneSettings) -> DataFrame:
    """Return the study's sample: so many products of each type that has enough of them."""
    sizes = products.groupBy("article_type").agg(F.count("*").alias("size"))
    wanted = sizes.where(F.col("size") >= settings.min_images)
    if settings.largest_types:
        wanted = wanted.orderBy(F.desc("size"), "article_type").limit(settings.largest_types)
    of_type = Window.partitionBy("article_type").orderBy(
        _draw(settings, "product_id"), "product_id"
    )
    rows = products.join(wanted.select("article_type"), on="article_type", how="left_semi")
    if not settings.sample:
        return rows
    return rows.withColumn("place", F.row_number().over(of_type)).where(
        F.col("place") <= settings.sample
    )


def with_split(rows: DataFrame, settings: FinetuneSettings) -> DataFrame:
    """Add `split`: train or validation. By year, products without a year are left out."""
    if settings.split == "year":
        side = F.when(F.col("year") % 2 == 0, "train").otherwise("validation")
        return rows.where("year IS NOT NULL").withColumn("split", side)
    product = F.col("product_id").cast("string")
    name = F.coalesce("product_display_name", product)
    grouped = rows.withColumn("group", name if settings.split == "name" else product)
    sides = _sides(grouped, settings)
    return grouped.join(sides, on="group", how="inner")


def _sides(rows: DataFrame, settings: FinetuneSettings) -> DataFrame:
    """Return the side of each `group`: groups in random order, until the share is reached.

    The share holds within each article type, where a group counts for the first of its types.
    """
    groups = rows.groupBy("group").agg(
        F.min("article_type").alias("home"), F.count("*").alias("size")
    )
    at_home = Window.partitionBy("home")
    so_far = F.sum("size").over(at_home.orderBy(_draw(settings, "group"), "group"))
    # A group is on the side where its middle is: the nearest that whole groups come to the share.
    middle = so_far - F.col("size") / 2
    is_trained = middle < settings.train_share * F.sum("size").over(at_home)
    return groups.select(
        "group", F.when(is_trained, "train").otherwise("validation").alias("split")
    )


def _draw(settings: FinetuneSettings, column: str) -> Column:
    """A random order that depends on nothing but the seed and the value."""
    return F.xxhash64(F.lit(settings.seed), F.col(column))
