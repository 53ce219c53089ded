"""When an ingest must not go on."""

from pyspark.sql import DataFrame

from fashionrec.errors import RefusedError
from fashionrec.store import Store
from fashionrec.tables import PRODUCTS


def check_removal(store: Store, lines: DataFrame, pictures: DataFrame, max_share: float) -> None:
    """Raise RefusedError where more than a share of products, or of their pictures, is gone."""
    if store.is_empty(PRODUCTS):
        return
    old = store.read(PRODUCTS).select("product_id", "image_sha256").persist()
    new = lines.where("reason IS NULL").select("product_id")
    pictured = pictures.where("reason IS NULL").select("product_id")
    _check_share("products", old, new, max_share)
    _check_share("usable pictures", old.where("image_sha256 IS NOT NULL"), pictured, max_share)
    old.unpersist()


def _check_share(what: str, old: DataFrame, new: DataFrame, max_share: float) -> None:
    total = old.count()
    removed = old.join(new, on="product_id", how="left_anti").count() if total else 0
    refuse_loss(what, removed, total, max_share)


def refuse_loss(what: str, removed: int, total: int, max_share: float) -> None:
    """Raise RefusedError where more than a share of `total` is removed."""
    if removed > max_share * total:
        raise RefusedError(
            f"the catalogue has lost {removed:,} of {total:,} {what} "
            f"({removed / total:.0%}; ingest.max_removed_share is {max_share:.0%}): check that the "
            "folder is complete, or give --allow-removal"
        )
