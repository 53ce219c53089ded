"""Each audit on a night of three products, broken in one place at a time."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from fashionrec.audit_names import MEASURES
from fashionrec.audit_rules import RULES, Night
from fashionrec.audits import audit
from fashionrec.config import load

SETTINGS = load().audits
ROWS = "list STRING, product_id BIGINT, rank INT, neighbour_id BIGINT, similarity FLOAT"
LISTS = [
    ("similar", 1, 1, 2, 0.75),
    ("similar", 1, 2, 3, 0.5),
    ("similar", 2, 1, 1, 0.75),
    ("similar", 2, 2, 3, 0.25),
    ("similar", 3, 1, 1, 0.5),
    ("similar", 3, 2, 2, 0.25),
    ("similar_styles", 1, 1, 3, 0.5),
]

Change = Callable[[Night], Night]


@pytest.fixture(scope="module")
def sound(spark: SparkSession) -> Night:
    told = {"model_version": "m", "article_type": "Ties", "neighbour_article_type": "Ties"}
    rows = spark.createDataFrame(LISTS, ROWS)
    rows = rows.withColumns({name: F.lit(value) for name, value in told.items()}).persist()
    products = spark.createDataFrame(
        [(1, "a"), (2, "b"), (3, "c"), (4, None)], "product_id BIGINT, image_sha256 STRING"
    )
    return Night(
        rows=rows,
        neighbours=rows,
        products=products,
        embedded=products.where("product_id < 4").select("product_id"),
        published=rows,
        model_version="m",
        lines=10,
        rejected_lines=1,
        k=5,
    )


def told(night: Night, **settings: object) -> dict[str, tuple[float, list[str]]]:
    rules = {name: rule.model_copy(update=settings) for name, rule in SETTINGS.items()}
    return {
        found.rule: (found.value, found.keys) for found in audit(night, rules) if found.is_broken
    }


def test_conf_has_every_rule() -> None:
    assert set(SETTINGS) == set(RULES) == set(MEASURES)


def test_a_sound_night_breaks_no_rule(sound: Night) -> None:
    assert told(sound) == {}
    assert told(replace(sound, published=None)) == {}


def rows(change: Callable[[DataFrame], DataFrame]) -> Change:
    return lambda night: replace(night, rows=change(night.rows))


def where(condition: str, column: str, value: str) -> Change:
    changed = f"CASE WHEN {condition} THEN {value} ELSE {column} END"
    return rows(
        lambda frame: frame.withColumn(column, F.expr(changed).cast(frame.schema[column].dataType))
    )


FIRST = "list = 'similar' AND product_id = 1 AND rank = 1"
SECOND = "list = 'similar' AND product_id = 1 AND rank = 2"


@pytest.mark.parametrize(
    ("change", "rule", "value", "keys"),
    [
        (rows(lambda r: r.where(f"NOT ({SECOND})")), "complete", 1, ["1"]),
        (rows(lambda r: r.where("product_id <> 3")), "complete", 1, ["3"]),
        (where(SECOND, "rank", "3"), "ranks", 1, ["similar of 1"]),
        (where(SECOND, "rank", "1"), "ranks", 1, ["similar of 1"]),
        (where(SECOND, "neighbour_id", "1"), "itself", 1, ["similar of 1"]),
        (where(FIRST, "similarity", "1.5"), "range", 1, ["similar of 1"]),
        (where(FIRST, "similarity", "double('NaN')"), "range", 1, ["similar of 1"]),
        (where(FIRST, "similarity", "NULL"), "range", 1, ["similar of 1"]),
        (where(SECOND, "similarity", "0.875"), "order", 1, ["similar of 1"]),
        (where(FIRST, "model_version", "'other'"), "models", 1, ["m", "other"]),
        (where("true", "neighbour_article_type", "'Caps'"), "disagreement", 1, []),
        (where(FIRST, "neighbour_id", "4"), "churn", 1 / 3, ["1"]),
        (where("rank = 1", "similarity", "-0.5"), "drift", 0.5, []),
    ],
)
def test_what_is_broken_is_told(
    sound: Night, change: Change, rule: str, value: float, keys: list[str]
) -> None:
    setting = SETTINGS[rule].model_copy(update={"limit": 0.1})
    off = {name: each.model_copy(update={"severity": "off"}) for name, each in SETTINGS.items()}
    [found] = audit(change(sound), off | {rule: setting})
    assert found.is_broken
    assert (found.rule, found.value, found.keys) == (rule, pytest.approx(value), keys)


def test_a_neighbour_that_is_no_product(sound: Night) -> None:
    products = sound.products.where("product_id <> 2")
    embedded = sound.embedded.where("product_id <> 2")
    broken = told(replace(sound, products=products, embedded=embedded))
    assert broken["unknown"] == (1, ["2"])
    assert broken["removed"] == (pytest.approx(1 / 3), ["2"])


def test_a_picture_without_an_embedding(sound: Night) -> None:
    broken = told(replace(sound, embedded=sound.embedded.where("product_id <> 2")))
    assert broken["embedded"] == (pytest.approx(1 / 3), ["2"])


def test_many_rejected_lines(sound: Night) -> None:
    assert told(replace(sound, rejected_lines=5)) == {"rejected": (0.5, [])}


def test_another_model_version_is_not_compared_with_the_last(sound: Night) -> None:
    published = sound.rows.withColumn("model_version", F.lit("older"))
    changed = where("rank = 1", "similarity", "-0.5")(replace(sound, published=published))
    assert not {"churn", "drift"} & set(told(changed, limit=0.1))


def test_no_more_than_ten_keys(sound: Night, spark: SparkSession) -> None:
    embedded = spark.range(100).withColumnRenamed("id", "product_id")
    value, keys = told(replace(sound, embedded=embedded))["complete"]
    assert (value, len(keys)) == (100, 10)


def test_a_rule_that_is_off_is_not_measured(sound: Night) -> None:
    assert told(replace(sound, rejected_lines=5), severity="off") == {}
