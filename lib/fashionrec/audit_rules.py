"""What audits measure of the lists about to be published: each rule is one number."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

_SIMILAR = "list = 'similar'"
_BINS = 40  # of similarities, when two nights' distributions are compared


@dataclass(frozen=True)
class Night:
    """What a night would publish, and what it is judged by.

    `rows` are `recommendations` to be, of `model_version`; `published` those that stand, None on a
    first night; `embedded` the products with an embedding; `lines` the catalogue's lines.
    """

    rows: DataFrame
    neighbours: DataFrame
    products: DataFrame
    embedded: DataFrame
    published: DataFrame | None
    model_version: str
    lines: int
    rejected_lines: int
    k: int

    @cached_property
    def comparable(self) -> DataFrame | None:
        """The published rows, where this model version made them."""
        if self.published is None:
            return None
        others = self.published.where(F.col("model_version") != self.model_version)
        return self.published if others.isEmpty() else None

    @cached_property
    def lists(self) -> DataFrame:
        """One row per list and product: key, entries in the order of rank, and similarities."""
        entry = F.struct("rank", "neighbour_id", "similarity")
        return (
            self.rows.groupBy("list", "product_id")
            .agg(F.array_sort(F.collect_list(entry)).alias("entries"))
            .withColumn("key", F.concat_ws(" of ", "list", "product_id"))
            .persist()
        )


_Measured = tuple[float, DataFrame | None]


def _counted(offenders: DataFrame) -> _Measured:
    return float(offenders.count()), offenders


def _complete(night: Night) -> _Measured:
    wanted = min(night.k, max(night.embedded.count() - 1, 0))
    lists = night.lists.where(_SIMILAR).select("product_id", F.size("entries").alias("has"))
    lists = night.embedded.join(lists, on="product_id", how="left")
    short = lists.where(F.coalesce("has", F.lit(0)) != wanted)
    return _counted(short.withColumn("key", F.col("product_id")))


def _embedded(night: Night) -> _Measured:
    pictured = night.products.where("image_sha256 IS NOT NULL").select("product_id")
    without = pictured.join(night.embedded, on="product_id", how="left_anti")
    share = without.count() / max(pictured.count(), 1)
    return share, without.withColumn("key", F.col("product_id"))


def _ranks(night: Night) -> _Measured:
    return _counted(night.lists.where("entries.rank <> sequence(1, size(entries))"))


def _itself(night: Night) -> _Measured:
    return _counted(night.lists.where("array_contains(entries.neighbour_id, product_id)"))


def _unknown(night: Night) -> _Measured:
    known = night.products.select(F.col("product_id").alias("neighbour_id"))
    unknown = night.neighbours.join(known, on="neighbour_id", how="left_anti")
    return _counted(unknown.select(F.col("neighbour_id").alias("key")).dropDuplicates())


def _range(night: Night) -> _Measured:
    inside = "e.similarity BETWEEN -1 AND 1"
    return _counted(night.lists.where(f"NOT forall(entries, e -> coalesce({inside}, false))"))


def _order(night: Night) -> _Measured:
    ordered = F.array_sort("entries.similarity")
    return _counted(night.lists.where(F.reverse(ordered) != F.col("entries.similarity")))


def _models(night: Night) -> _Measured:
    versions = night.rows.select(F.col("model_version").alias("key")).dropDuplicates()
    return float(max(versions.count() - 1, 0)), versions


def _removed(night: Night) -> _Measured | None:
    if night.published is None:
        return None
    before = night.published.select("product_id").dropDuplicates()
    gone = before.join(night.products, on="product_id", how="left_anti")
    return gone.count() / max(before.count(), 1), gone.withColumn("key", F.col("product_id"))


def _rejected(night: Night) -> _Measured:
    return night.rejected_lines / max(night.lines, 1), None


def _churn(night: Night) -> _Measured | None:
    if night.comparable is None:
        return None
    columns = ["list", "product_id", "rank", "neighbour_id"]
    before, after = (
        rows.where(_SIMILAR).select(*columns) for rows in (night.comparable, night.rows)
    )
    changed = after.exceptAll(before).select("product_id").dropDuplicates()
    lists = after.select("product_id").dropDuplicates().count()
    return changed.count() / max(lists, 1), changed.withColumn("key", F.col("product_id"))


def _drift(night: Night) -> _Measured | None:
    """Kolmogorov and Smirnov's distance between two nights' similarities, from histograms."""
    if night.comparable is None:
        return None
    before, after = _histogram(night.comparable), _histogram(night.rows)
    below, distance = 0.0, 0.0
    for part in range(_BINS + 1):
        below += after.get(part, 0.0) - before.get(part, 0.0)
        distance = max(distance, abs(below))
    return distance, None


def _histogram(rows: DataFrame) -> dict[int, float]:
    """Return the share of similarities per bin of [-1, 1]."""
    bins = F.floor((F.col("similarity") + 1) / 2 * _BINS).cast("int").alias("bin")
    counts = rows.where(_SIMILAR).groupBy(bins).count().where("bin IS NOT NULL").collect()
    total = sum(row[1] for row in counts)
    return {row[0]: row[1] / total for row in counts}


def _disagreement(night: Night) -> _Measured:
    typed = night.rows.where(_SIMILAR).where("article_type IS NOT NULL")
    differs = F.avg(F.when(F.expr("article_type <=> neighbour_article_type"), 0.0).otherwise(1.0))
    row = typed.agg(F.coalesce(differs, F.lit(0.0))).first()
    assert row is not None
    return float(row[0]), None


# In the order in which they are told; `audit_names` says what each counts or measures.
RULES: dict[str, Callable[[Night], _Measured | None]] = {
    "complete": _complete,
    "embedded": _embedded,
    "ranks": _ranks,
    "itself": _itself,
    "unknown": _unknown,
    "range": _range,
    "order": _order,
    "models": _models,
    "removed": _removed,
    "rejected": _rejected,
    "churn": _churn,
    "drift": _drift,
    "disagreement": _disagreement,
}
