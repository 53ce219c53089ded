"""What an ingest counts, and that nothing is lost."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fashionrec.errors import FashionrecError
from fashionrec.ingest.styles import BLANK


def line_counts(lines: DataFrame) -> dict[str, int]:
    """Count the lines of styles.csv by what became of them."""
    blank, good = F.col("reason") == BLANK, F.col("reason").isNull()
    row = lines.agg(
        F.count_if(~blank | good).alias("lines"),
        F.count_if(blank).alias("blank_lines"),
        F.count_if(good).alias("products"),
        F.count_if(~blank).alias("rejected_lines"),
    ).first()
    assert row is not None
    return row.asDict()


def picture_counts(pictures: DataFrame) -> dict[str, int]:
    """Count the image entries, needed links included, by what became of them."""
    good, owned = F.col("reason").isNull(), F.col("wanted").isNotNull()
    row = pictures.agg(
        F.count("*").alias("image_entries"),
        F.count_if(good).alias("images"),
        F.count_if(~good & owned).alias("rejected_images"),
        F.count_if(~owned).alias("images_of_no_product"),
    ).first()
    assert row is not None
    return row.asDict()


def link_counts(fetched: DataFrame) -> dict[str, int]:
    """Count the links whose bytes were fetched."""
    return {"links_fetched": fetched.where("content IS NOT NULL").count()}


def check_conservation(counts: dict[str, int]) -> None:
    """Raise unless every line and every image entry is accounted for.

    Raises:
        FashionrecError: which sum does not hold.
    """
    sums = {
        "lines": ("products", "rejected_lines"),
        "image_entries": ("images", "rejected_images", "images_of_no_product"),
    }
    for whole, parts in sums.items():
        if counts[whole] != sum(counts[part] for part in parts):
            told = ", ".join(f"{part} {counts[part]:,}" for part in parts)
            raise FashionrecError(f"ingest: {counts[whole]:,} {whole} are not {told}: report this")
