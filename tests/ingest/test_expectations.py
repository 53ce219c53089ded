"""Expectations of six products whose faults are known: rows, warnings, refusals, and lines."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pyspark.sql import SparkSession

from conftest import RunJob
from fashionrec import duck
from fashionrec.config import load
from fashionrec.errors import FashionrecError, RefusedError, UsageError
from fashionrec.ingest.expectations import expectations_of
from fashionrec.ingest.ingest import ingest
from fashionrec.runs import recorded
from fashionrec.settings import Expectations, ExpectationSettings
from fashionrec.store import Store
from fashionrec.summary import _violations as summed
from fashionrec.tables import PRODUCTS, RUNS, VIOLATIONS

CONFIG = load()
HEADER = (
    "id,gender,masterCategory,subCategory,articleType,baseColour,season,year,usage,"
    "productDisplayName"
)
LINES = """
1,Men,Apparel,Topwear,Shirts,Blue,Summer,2012,Casual,Blue Shirt
2,Women,Apparel,Topwear,Tops,,Summer,1912,Casual,Red Top
3,,Apparel,Topwear,Tops,,Summer,,Casual,NA
4,Men,Apparel,Topwear,Shirts,Green,Summer,2013,Casual,Plain Women Shirt
5,Men,Apparel,Topwear,Shirts,Green,Summer,2013,Casual,"Shirt, green"
6,Men,Apparel,Topwear,Shirts,Green,Summer,2013,Casual,
"""
PRICES = {1: (100, 80), 2: (100, 120), 4: (0, 0)}
SIDES = {1: (64, 48), 2: (64, 16)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six products: three with prices, two with pictures."""
    for name in ("images", "styles"):
        (tmp_path / "shop" / name).mkdir(parents=True)
    (tmp_path / "shop" / "styles.csv").write_text(HEADER + LINES)
    for product_id, (price, discounted) in PRICES.items():
        data = {"data": {"price": price, "discountedPrice": discounted}}
        (tmp_path / "shop" / "styles" / f"{product_id}.json").write_text(json.dumps(data))
    for product_id, size in SIDES.items():
        Image.new("RGB", size).save(tmp_path / "shop" / "images" / f"{product_id}.jpg")
    return tmp_path / "shop"


def rule(holds: str, limit: float = 1.0, severity: str = "warn") -> ExpectationSettings:
    return ExpectationSettings(holds=holds, limit=limit, severity=severity)


def run(store: Store, folder: Path, expectations: Expectations, run_id: str = "r") -> Any:
    with recorded(store, "ingest", run_id) as current:
        further = {"fetching": CONFIG.fetch, "expectations": expectations}
        ingest(store, folder, CONFIG.ingest, current, **further)
    return current


def found(store: Store) -> dict[tuple[str, int], dict[str, str | None]]:
    rows = store.read(VIOLATIONS).collect()
    by_key = {(row.expectation, row.product_id): row.found for row in rows}
    assert len(by_key) == len(rows)
    return by_key


def versions(store: Store) -> dict[str, int]:
    return {name: v for name, v in store.versions().items() if name != RUNS.name}


def test_the_defaults_find_each_fault_once(store: Store, folder: Path) -> None:
    current = run(store, folder, CONFIG.expectations)
    no_picture = {"image_sha256": None}
    classes = {"master_category": "Apparel", "article_type": "Tops"}
    assert found(store) == {
        ("named", 3): {"product_display_name": "NA"},
        ("named", 6): {"product_display_name": None},
        ("classified", 3): {"gender": None} | classes,
        ("gender_as_named", 4): {"gender": "Men", "product_display_name": "Plain Women Shirt"},
        ("year_plausible", 2): {"year": "1912"},
        ("price_positive", 4): {"price": "0.0"},
        ("discount_below_price", 2): {"price": "100.0", "discounted_price": "120.0"},
        ("picture_large_enough", 2): {"width": "64", "height": "16"},
        **{("pictured", product_id): no_picture for product_id in (3, 4, 5, 6)},
    }
    assert current.counts["ingest.violations"] == current.counts["ingest.violations_changed"] == 12
    with duck.questions(store, VIOLATIONS) as tables:
        assert summed(tables)[:2] == [("violations", "   4 pictured"), ("", "   2 named")]
    row = store.read(VIOLATIONS).where("expectation = 'price_positive'").first()
    assert (row.run_id, row.holds) == ("r", "price > 0")


def test_what_is_missing_or_cannot_be_computed_holds(store: Store, folder: Path) -> None:
    rules = {
        "dear": rule("price > 200"),
        "discounted": rule("discounted_price / price < 0.9"),
        "numbered": rule("CAST(product_display_name AS INT) > 0"),
        "never": rule("product_id < 0", severity="off"),
    }
    run(store, folder, rules)
    assert set(found(store)) == {("dear", 1), ("dear", 2), ("dear", 4), ("discounted", 2)}
    assert store.spark.conf.get("spark.sql.ansi.enabled") == "true"


def test_every_product_is_judged_by_every_rule(store: Store, catalogue: Path) -> None:
    """On the drawn catalogue, against the same questions in plain Python."""
    rules = {
        "short": rule("length(product_display_name) < 30"),
        "plain": rule("product_display_name NOT LIKE '%,%' AND base_colour <> 'White'"),
        "recent": rule("year >= 2014 OR usage = 'Casual'"),
        "half_price": rule("discounted_price > price * 0.85"),
    }
    plain = {
        "short": lambda row: len(row.product_display_name) < 30,
        "plain": lambda row: (
            "," not in row.product_display_name and (row.base_colour or "") != "White"
        ),
        "recent": lambda row: (row.year or 9999) >= 2014 or (row.usage or "Casual") == "Casual",
        "half_price": lambda row: row.price is None or row.discounted_price > row.price * 0.85,
    }
    counts = run(store, catalogue, rules).counts
    products = store.read(PRODUCTS).collect()
    expected = {
        (name, row.product_id)
        for name, holds in plain.items()
        for row in products
        if not holds(row)
    }
    assert set(found(store)) == expected
    assert counts["ingest.violations"] == len(expected)
    assert {name for name, _ in expected} == set(rules)


def test_past_its_limit_a_rule_refuses_before_anything_is_written(
    store: Store, folder: Path
) -> None:
    run(store, folder, {})
    before = versions(store)
    (folder / "styles.csv").write_text(HEADER + LINES + "7,,,,,,,,,Seven\n")
    rules = {
        "priced": rule("price IS NOT NULL", 0.5, "refuse"),
        "pictured": rule("image_sha256\n  IS NOT NULL", 0.6, "refuse"),
        "cheap": rule("price < 50", 0.0, "warn"),
    }
    told = (
        r"5 of 7 products \(71.4%\) fail pictured, image_sha256 IS NOT NULL "
        r"\(expectations.pictured.limit is 60.0%\): 3, 4, 5, 6, 7: mend"
    )
    with pytest.raises(
        RefusedError, match=rf"as expected: 4 of 7 .*: 3, 5, 6, 7; {told}"
    ) as raised:
        run(store, folder, rules, "refused")
    assert raised.value.exit_status == 3
    assert versions(store) == before
    row = store.read(RUNS).where("run_id = 'refused'").first()
    assert (row.status, "2 of 7 products (28.6%) fail cheap" in row.message) == ("refused", True)

    within = {"pictured": rule("image_sha256 IS NOT NULL", 5 / 7, "refuse")}
    assert run(store, folder, within, "within").warnings == []
    assert store.read(PRODUCTS).count() == 7
    assert len(found(store)) == 5


def test_a_changed_rule_is_judged_on_an_unchanged_catalogue(store: Store, folder: Path) -> None:
    run(store, folder, {"old": rule("year > 1950")}, "first")
    rows = store.read(VIOLATIONS).collect()
    assert [(row.expectation, row.product_id, row.run_id) for row in rows] == [("old", 2, "first")]
    rules = {"old": rule("year > 1950"), "new": rule("price > 90")}
    current = run(store, folder, rules, "second")
    rows = store.read(VIOLATIONS).orderBy("product_id").collect()
    assert [(row.product_id, row.run_id) for row in rows] == [(2, "first"), (4, "second")]
    assert current.counts["ingest.products_changed"] == 0

    before = versions(store)
    again = run(store, folder, rules, "third").counts
    assert versions(store) == before
    assert (again["ingest.violations"], again["ingest.violations_changed"]) == (2, 0)
    stricter = rules | {"new": rule("price > 90", 0.0, "refuse")}
    with pytest.raises(RefusedError, match="fail new"):
        run(store, folder, stricter, "fourth")
    assert versions(store) == before

    run(store, folder, rules | {"old": rule("year > 1950", severity="off")}, "fifth")
    assert set(found(store)) == {("new", 4)}


def test_a_mended_product_is_a_violation_no_more(store: Store, folder: Path) -> None:
    rules = {"recent": rule("year > 2012")}
    run(store, folder, rules)
    assert found(store) == {("recent", 1): {"year": "2012"}, ("recent", 2): {"year": "1912"}}
    (folder / "styles.csv").write_text((HEADER + LINES).replace("1912", "2012"))
    run(store, folder, rules)
    assert found(store) == {("recent", 1): {"year": "2012"}, ("recent", 2): {"year": "2012"}}
    (folder / "styles.csv").write_text((HEADER + LINES).replace("1912", "2014"))
    assert run(store, folder, rules).counts["ingest.violations_changed"] == 1
    assert set(found(store)) == {("recent", 1)}


@pytest.mark.parametrize(
    ("holds", "reason"),
    [
        ("prize > 0", "name `prize` cannot be resolved"),
        ("price >", "Syntax error at or near end of input"),
        ("price > 0; DROP TABLE products", "Syntax error at or near ';'"),
        ("price", "is not a boolean"),
        ("max(price) > 0", "invalid expressions: max(price)"),
        ("count(*) > 0", "invalid expressions: count(1)"),
        ("row_number() OVER (ORDER BY price) > 1", "window functions"),
        ("explode(array(true, false))", "generator is not supported"),
        ("price IN (SELECT 1)", "no subqueries"),
        ("EXISTS (FROM VALUES (1))", "no subqueries"),
        ("twice(brand) = 'a'", "no subqueries, functions of one's own"),
        ("rand() > 0.5", "or chance"),
        ("reflect('java.lang.System', 'getenv', 'HOME') = ''", "or chance"),
    ],
)
def test_what_is_no_condition_about_a_product_is_one_line(
    spark: SparkSession, holds: str, reason: str
) -> None:
    spark.udf.register("twice", lambda text: text * 2)
    with pytest.raises(UsageError) as raised:
        expectations_of(spark, {"mine": rule(holds)})
    text = str(raised.value)
    assert text.startswith("setting 'expectations.mine.holds': ")
    assert reason in text
    assert text.endswith("; the columns are " + ", ".join([*PRODUCTS.names, *PICTURE]))
    assert len(text.splitlines()) == 1
    expectations_of(spark, {"mine": rule(holds, severity="off")})


PICTURE = ["format", "width", "height", "mode"]


def test_half_a_pattern_is_one_line_and_nothing_is_written(store: Store, folder: Path) -> None:
    before = versions(store)
    with pytest.raises(
        FashionrecError, match=r"cannot be computed: .*in `rlike` is invalid"
    ) as raised:
        run(store, folder, {"mine": rule("product_display_name RLIKE '('")})
    assert len(str(raised.value).splitlines()) == 1
    assert versions(store) == before


def test_a_file_of_ones_own_defines_changes_and_switches_off(
    store: Store, folder: Path, run_job: RunJob, capfd: pytest.CaptureFixture[str]
) -> None:
    own = folder.parent / "own.toml"
    own.write_text(
        "[expectations.no_green]\nholds = \"base_colour <> 'Green'\"\n"
        "[expectations]\nyear_plausible.holds = 'year > 2012'\npictured.severity = 'off'\n"
    )
    options = ("--catalogue", folder, "--warehouse", store.warehouse, "--config", own)
    assert run_job("ingest", *options) == 0
    keys = set(found(store))
    assert {key for key in keys if key[0] == "no_green"} == {("no_green", i) for i in (4, 5, 6)}
    assert {key for key in keys if key[0] == "year_plausible"} == {
        ("year_plausible", i) for i in (1, 2)
    }
    assert not [key for key in keys if key[0] == "pictured"]
    assert "3 of 6 products (50.0%) fail no_green" in capfd.readouterr().err

    before = versions(store)
    assert run_job("ingest", *options, "--set", "expectations.no_green.severity=refuse") == 3
    assert run_job("ingest", *options, "--set", "expectations.no_green.holds=colour > 0") == 2
    assert versions(store) == before
    last = capfd.readouterr().err.splitlines()[-1]
    assert last.startswith("error: setting 'expectations.no_green.holds': [UNRESOLVED_COLUMN")


def test_an_older_warehouse_gets_the_table(store: Store, folder: Path) -> None:
    run(store, folder, {})
    for path in sorted(Path(store.path(VIOLATIONS)).rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    Path(store.path(VIOLATIONS)).rmdir()
    run(store, folder, {"recent": rule("year > 1950")})
    assert set(found(store)) == {("recent", 2)}
