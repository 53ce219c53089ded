"""The catalogue's tables as functions of its lines and files: no reading, no writing.

`lines` are those of `frames.lines_of`; `files` are rows of the table `files`, and for links their
`line` and `raw`.
"""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from fashionrec.ingest.details import UNREADABLE
from fashionrec.ingest.entries import DETAILS, IMAGE, LINK, LINKS
from fashionrec.ingest.styles import BLANK, COLUMNS
from fashionrec.tables import DETAILS as DETAIL_COLUMNS
from fashionrec.tables import IMAGES, PRODUCTS, REJECTS

_SUPERSEDED = "a later line has the same id"


def with_superseded(lines: DataFrame) -> DataFrame:
    """Give the lines whose id stands again further down the file a reason: the last one wins."""
    later = Window.partitionBy("product_id").orderBy(F.desc("line"))
    repeated = F.col("reason").isNull() & (F.row_number().over(later) > 1)
    # Rejected lines have no id, so they only ever supersede each other, and keep their own reason.
    return lines.withColumn(
        "reason", F.when(repeated, F.lit(_SUPERSEDED)).otherwise(F.col("reason"))
    )


def good_lines(lines: DataFrame) -> DataFrame:
    """Return the lines that become products."""
    return lines.where("reason IS NULL")


def pictures_of(files: DataFrame, lines: DataFrame) -> DataFrame:
    """Return every image entry with `reason`: null for the one picture of each product.

    A usable file comes before a tar member, and a lower path before a higher one. A link is there
    only where neither serves.
    """
    wanted = good_lines(lines).select("product_id", F.lit(True).alias("wanted"))
    first = Window.partitionBy("product_id", "usable").orderBy("is_member", "path")
    return (
        files.where(F.col("kind").isin(IMAGE, LINK))
        .join(wanted, on="product_id", how="left")
        .withColumn("usable", F.col("problem").isNull() & F.col("wanted").isNotNull())
        .withColumn("is_member", F.col("path").contains("!"))
        .withColumn("place", F.row_number().over(first))
        .withColumn("reason", _picture_reason())
        .drop("usable", "is_member", "place")
    )


def unpictured(lines: DataFrame, pictures: DataFrame) -> DataFrame:
    """Return the ids of products without a usable picture."""
    chosen = pictures.where("reason IS NULL").select("product_id")
    return good_lines(lines).select("product_id").join(chosen, on="product_id", how="left_anti")


def _picture_reason() -> Column:
    return (
        F.when(F.col("problem").isNotNull(), F.col("problem"))
        .when(F.col("product_id").isNull(), "the file's name is no product id")
        .when(F.col("wanted").isNull(), "picture of no product")
        .when(F.col("place") > 1, "the product has another picture")
    )


def products(lines: DataFrame, pictures: DataFrame, files: DataFrame) -> DataFrame:
    """Return the table `products`."""
    chosen = pictures.where("reason IS NULL").select(
        "product_id", F.col("sha256").alias("image_sha256")
    )
    return (
        good_lines(lines)
        .select(*COLUMNS.values())
        .join(chosen, on="product_id", how="left")
        .join(_details(files), on="product_id", how="left")
        .select(*PRODUCTS.names)
    )


def _details(files: DataFrame) -> DataFrame:
    """Return one row of typed values per product; 7.json and 007.json: the lower path wins."""
    usable = files.where((F.col("kind") == DETAILS) & F.col("problem").isNull())
    facts = usable.groupBy("product_id").agg(F.min_by("facts", "path").alias("facts"))
    values = [F.col("facts")[c.name].try_cast(c.type).alias(c.name) for c in DETAIL_COLUMNS]
    return facts.select("product_id", *values)


def images(pictures: DataFrame) -> DataFrame:
    """Return the table `images` without its content, and each picture's path and size."""
    facts = {"format": "string", "width": "int", "height": "int", "mode": "string"}
    typed = [F.col("facts")[name].try_cast(kind).alias(name) for name, kind in facts.items()]
    return pictures.where("reason IS NULL").select("path", "size", "product_id", "sha256", *typed)


def image_columns() -> Sequence[str]:
    """Return the columns that tell whether a picture of `images` differs."""
    return [name for name in IMAGES.names if name not in ("product_id", "content")]


def rejects(
    lines: DataFrame, pictures: DataFrame, files: DataFrame, links: DataFrame, run_id: str
) -> DataFrame:
    """Return the table `rejects`: lines, cells, pictures and details that could not be used.

    `links` are the lines of images.csv, with the reason that some cannot be read.
    """
    unreadable = links.where("reason IS NOT NULL")
    parts = (
        _rejected_lines(lines),
        _rejected_cells(lines),
        _rejected_pictures(pictures),
        _rejected_links(pictures),
        _reject(unreadable, LINKS, F.col("line"), F.col("raw"), F.col("reason")),
        _rejected_details(files, lines),
        _rejected_values(files),
    )
    union = parts[0]
    for part in parts[1:]:
        union = union.unionByName(part)
    return union.withColumn("run_id", F.lit(run_id)).select(*REJECTS.names)


def _reject(
    rows: DataFrame, source: str, position: Column, raw: Column, reason: Column
) -> DataFrame:
    return rows.select(
        F.lit(source).alias("source"),
        position.cast("string").alias("position"),
        raw.cast("string").alias("raw"),
        reason.alias("reason"),
    )


def _rejected_lines(lines: DataFrame) -> DataFrame:
    rejected = lines.where(F.col("reason") != BLANK)
    return _reject(rejected, "styles.csv", F.col("line"), F.col("raw"), F.col("reason"))


def _rejected_cells(lines: DataFrame) -> DataFrame:
    cells = good_lines(lines).select("line", F.explode("cells").alias("cell"))
    position = F.concat_ws(":", "line", "cell.column")
    return _reject(cells, "cells", position, F.col("cell.raw"), F.col("cell.reason"))


def _rejected_pictures(pictures: DataFrame) -> DataFrame:
    rejected = pictures.where((F.col("kind") == IMAGE) & F.col("reason").isNotNull())
    return _reject(rejected, "images", F.col("path"), F.lit(None), F.col("reason"))


def _rejected_links(pictures: DataFrame) -> DataFrame:
    rejected = pictures.where((F.col("kind") == LINK) & F.col("reason").isNotNull())
    return _reject(rejected, LINKS, F.col("line"), F.col("raw"), F.col("reason"))


def _rejected_details(files: DataFrame, lines: DataFrame) -> DataFrame:
    wanted = good_lines(lines).select("product_id", F.lit(True).alias("wanted"))
    details = files.where(F.col("kind") == DETAILS).join(wanted, on="product_id", how="left")
    reason = F.coalesce("problem", F.when(F.col("wanted").isNull(), "details of no product"))
    rejected = details.withColumn("reason", reason).where("reason IS NOT NULL")
    return _reject(rejected, "styles.json", F.col("path"), F.lit(None), F.col("reason"))


def _rejected_values(files: DataFrame) -> DataFrame:
    """Return the single values of styles/*.json that became null."""
    facts = files.where(F.col("kind") == DETAILS).select("path", F.explode("facts"))
    unreadable = facts.where(F.col("key").startswith(UNREADABLE))
    column = F.substring_index("key", " ", -1)
    position = F.concat_ws(":", "path", column)
    reason = F.concat(column, F.lit(" is of another type"))
    return _reject(unreadable, "cells", position, F.col("value"), reason)
