"""When an ingest need not start, and when it must not go on."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame

from fashionrec.errors import RefusedError
from fashionrec.ingest.links import known_entry
from fashionrec.ingest.listing import CANNOT_READ, LINK, Entry
from fashionrec.store import Store
from fashionrec.tables import FILES, PRODUCTS


def is_unchanged(
    store: Store, folder: Path, entries: Sequence[Entry], checks: dict[str, str]
) -> bool:
    """Say whether `files` knows exactly these entries, without Spark and without reading one.

    Which links are needed depends on the other files alone, so those that it knows still are.
    """
    columns = ["path", "kind", "size", "mtime", "checks", "problem"]
    known = store.scan(FILES, columns).to_table()
    times = known["mtime"].cast(pa.int64()).to_pylist()
    names = ("path", "kind", "size", "checks", "problem")
    paths, kinds, sizes, under, problems = (known[name].to_pylist() for name in names)
    if len(known) - kinds.count(LINK) != len(entries):
        return False
    if any(problem and problem.startswith(CANNOT_READ) for problem in problems):
        return False
    links = [known_entry(folder, p) for p, kind in zip(paths, kinds, strict=True) if kind == LINK]
    listed = {(e.path, e.size, e.mtime, checks[e.kind]) for e in (*entries, *links)}
    return listed == set(zip(paths, sizes, times, under, strict=True))


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
    if removed > max_share * total:
        raise RefusedError(
            f"the catalogue has lost {removed:,} of {total:,} {what} "
            f"({removed / total:.0%}; ingest.max_removed_share is {max_share:.0%}): check that the "
            "folder is complete, or give --allow-removal"
        )
