"""What conf expects of a catalogue's products: conditions in SQL, and a row for each that fails.

Not pandera: its pyspark API tells the errors of each column, and not which rows they are in.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from py4j.protocol import Py4JJavaError
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from fashionrec.errors import FashionrecError, RefusedError, UsageError, one_line
from fashionrec.runs import Run
from fashionrec.session import with_properties
from fashionrec.settings import Expectations, ExpectationSettings
from fashionrec.tables import IMAGES, PRODUCTS, VIOLATIONS

_OF_PICTURE = ("format", "width", "height", "mode")
_COLUMNS = {c.name: c.type for c in PRODUCTS.columns} | {
    c.name: c.type for c in IMAGES.columns if c.name in _OF_PICTURE
}
_FAILED = "ARRAY<STRUCT<expectation: STRING, holds: STRING, found: MAP<STRING, STRING>>>"
_IDS_TOLD = 5
# Under ANSI's rules one price of zero, or one text that is no number, would fail the whole night.
_NULL_AND_NO_ERROR = {"spark.sql.ansi.enabled": "false"}


@dataclass(frozen=True)
class Expectation:
    """A condition that products fulfil, and the columns that it names."""

    name: str
    setting: ExpectationSettings
    columns: tuple[str, ...]


def in_use(settings: Expectations) -> Expectations:
    """Return the expectations that are not off."""
    return {name: setting for name, setting in settings.items() if setting.severity != "off"}


def as_text(settings: Expectations) -> str:
    """Return a text that differs where the expectations do."""
    used = {name: setting.model_dump() for name, setting in in_use(settings).items()}
    return json.dumps(used, sort_keys=True)


def expectations_of(spark: SparkSession, settings: Expectations) -> list[Expectation]:
    """Return the expectations that are not off, their conditions understood.

    Raises:
        UsageError: one is no condition about one product.
    """
    nothing = spark.createDataFrame([], ", ".join(f"{n} {kind}" for n, kind in _COLUMNS.items()))
    with with_properties(spark, _NULL_AND_NO_ERROR):
        return [
            Expectation(name, setting, _columns_of(nothing, name, setting.holds))
            for name, setting in in_use(settings).items()
        ]


def _columns_of(nothing: DataFrame, name: str, holds: str) -> tuple[str, ...]:
    """Return the columns that a condition names; WHERE takes neither aggregates nor windows."""
    try:
        analyzed = nothing.where(holds)._jdf.queryExecution().analyzed()
    except AnalysisException as error:  # a ParseException is one
        raise _unusable(name, error.getMessage().splitlines()[0]) from error
    condition = analyzed.condition()
    pattern = nothing.sparkSession._jvm.org.apache.spark.sql.catalyst.trees.TreePattern  # type: ignore[union-attr]
    others = (pattern.PLAN_EXPRESSION(), pattern.PYTHON_UDF(), pattern.SCALA_UDF())
    if any(map(condition.containsPattern, others)) or not condition.deterministic():
        raise _unusable(
            name, "no subqueries, functions of one's own, or chance: it is about one product"
        )
    found = condition.references().toSeq()
    names = {found.apply(i).name().lower() for i in range(found.size())}
    return tuple(column for column in _COLUMNS if column in names)


def _unusable(name: str, reason: str) -> UsageError:
    columns = ", ".join(_COLUMNS)
    return UsageError(f"setting 'expectations.{name}.holds': {reason}; the columns are {columns}")


def violations(
    products: DataFrame, images: DataFrame, expectations: list[Expectation], run_id: str
) -> DataFrame:
    """Return the table `violations`: a row for each product and expectation that it fails."""
    pictures = images.select("product_id", *_OF_PICTURE)
    pictured = products.join(pictures, on="product_id", how="left")
    with with_properties(products.sparkSession, _NULL_AND_NO_ERROR):
        failed = F.array_compact(F.array(*map(_failure, expectations)).cast(_FAILED))
        failing = pictured.select("product_id", F.explode(failed).alias("failed"))
    rows = failing.select("product_id", "failed.*").withColumn("run_id", F.lit(run_id))
    # Few rows in dozens of parts, as `rejects`.
    parts = products.sparkSession.sparkContext.defaultParallelism
    return rows.select(*VIOLATIONS.names).coalesce(parts)


def _failure(expectation: Expectation) -> Column:
    """Return what is told of a product that fails; null where the condition holds, or is null."""
    values = [part for c in expectation.columns for part in (F.lit(c), F.col(c).cast("string"))]
    told = F.struct(
        F.lit(expectation.name), F.lit(expectation.setting.holds), F.create_map(*values)
    )
    return F.when(~F.expr(expectation.setting.holds), told)


def check_expectations(
    violations: DataFrame, products: int, expectations: list[Expectation], run: Run
) -> int:
    """Warn of expectations that too many products fail, or refuse; return the number of rows.

    Raises:
        RefusedError: naming each that refuses, its share, its limit and who fails it.
        FashionrecError: a condition cannot be computed, such as one with half a pattern.
    """
    counts = _counts(violations)
    refused = []
    for each in expectations:
        failing = counts.get(each.name, 0)
        if failing / max(products, 1) <= each.setting.limit:
            continue
        told = _told(each, failing, products, _first(violations, each.name))
        if each.setting.severity == "refuse":
            refused.append(told)
        else:
            run.warn("ingest", told)
    if refused:
        raise RefusedError(
            f"the catalogue is not as expected: {'; '.join(refused)}: mend it, or change the "
            "expectation with --config"
        )
    return sum(counts.values())


def _counts(violations: DataFrame) -> dict[str, int]:
    try:
        return {row[0]: row[1] for row in violations.groupBy("expectation").count().collect()}
    except (PySparkException, Py4JJavaError) as error:
        causes = re.findall(r"Caused by: (.+)", str(error)) or [one_line(error)]
        raise FashionrecError(f"an expectation cannot be computed: {causes[-1]}") from error


def _first(violations: DataFrame, name: str) -> Iterator[int]:
    """Return the lowest ids of those that fail an expectation."""
    rows = violations.where(F.col("expectation") == name).select("product_id")
    return (row[0] for row in rows.orderBy("product_id").limit(_IDS_TOLD).collect())


def _told(expectation: Expectation, failing: int, products: int, ids: Iterator[int]) -> str:
    name, setting = expectation.name, expectation.setting
    return (
        f"{failing:,} of {products:,} products ({failing / products:.1%}) fail {name}, "
        f"{' '.join(setting.holds.split())} (expectations.{name}.limit is {setting.limit:.1%}): "
        f"{', '.join(map(str, ids))}"
    )
