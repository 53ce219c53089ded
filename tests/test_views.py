"""Each view gives the same rows in Spark SQL and in DuckDB, under the columns that it documents."""

import math
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pyspark.sql import SparkSession

from fashionrec import read, views
from fashionrec.sql import register
from fashionrec.store import Store
from fashionrec.views import View

Both = tuple[SparkSession, duckdb.DuckDBPyConnection]


@pytest.fixture(scope="module")
def both(spark: SparkSession, _night: Path, tmp_path_factory: pytest.TempPathFactory) -> Both:
    """The sample's night with a second model version, in either engine."""
    folder = shutil.copytree(_night, tmp_path_factory.mktemp("views") / "warehouse")
    store = Store(spark, folder)
    embeddings = spark.read.format("delta").load(f"{folder}/embeddings")
    other = embeddings.selectExpr(
        "product_id",
        "'other' AS model_version",
        "image_sha256",
        "embedding",
        "CASE WHEN product_id % 2 = 0 THEN 'Ties' ELSE predicted_article_type END"
        " AS predicted_article_type",
        "predicted_probability",
        "predicted_accepted",
    )
    other.write.format("delta").mode("append").save(f"{folder}/embeddings")
    snapshot = read.warehouse(folder)
    register(store, snapshot)
    return spark, snapshot.connect()


def test_there_are_views() -> None:
    names = {view.name for view in views.ALL}
    assert len(names) == 18
    assert {"recommendations_wide", "near_duplicates", "catalogue_by_year"} < names


@pytest.mark.parametrize("view", views.ALL, ids=lambda view: view.name)
def test_both_engines_give_the_same_rows(both: Both, view: View) -> None:
    spark, duck = both
    in_spark = spark.table(view.name)
    in_duck = duck.execute(f"SELECT * FROM {view.name}")
    assert in_spark.columns == [column[0] for column in in_duck.description] == list(view.columns)
    rows = counted(in_duck.fetchall())
    assert counted(in_spark.collect()) == rows
    assert rows or view.name == "near_duplicates"


def counted(rows: list[Any]) -> Counter[tuple[Any, ...]]:
    """Round floats: engines sum them in different orders."""
    return Counter(tuple(rounded(value) for value in row) for row in rows)


def rounded(value: Any) -> Any:
    return f"{value:.9g}" if isinstance(value, float) and math.isfinite(value) else value


def test_engines_show_what_columns_mean(both: Both) -> None:
    spark, duck = both
    for view in views.ALL:
        assert view.comment
        described = spark.sql(f"DESCRIBE {view.name}").collect()
        assert {row.col_name: row.comment for row in described} == view.columns
        columns = duck.execute(
            "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = ?", [view.name]
        )
        assert dict(columns.fetchall()) == view.columns


def test_wide_rows_are_those_of_recommendations(both: Both) -> None:
    _, duck = both
    unlike = duck.execute("""
        SELECT count(*) FROM recommendations AS long JOIN recommendations_wide USING (product_id)
        WHERE list = 'similar' AND neighbour_id IS DISTINCT FROM CASE rank
          WHEN 1 THEN neighbour_1 WHEN 2 THEN neighbour_2 WHEN 3 THEN neighbour_3
          WHEN 4 THEN neighbour_4 WHEN 5 THEN neighbour_5 END
    """).fetchone()
    assert unlike == (0,)


def test_shares_add_up_and_growth_is_against_the_year_before(both: Both) -> None:
    _, duck = both
    by_year = duck.execute("SELECT year, products, share, growth FROM catalogue_by_year").fetchall()
    products = {year: count for year, count, *_ in by_year}
    assert sum(products.values()) == 80
    assert sum(share for _, _, share, _ in by_year) == pytest.approx(1)
    for year, count, _, growth in by_year:
        before = products.get(year - 1) if year else None
        assert growth == (pytest.approx(count / before - 1) if before else None)


def test_pictures_and_errors_are_told(both: Both) -> None:
    _, duck = both
    told = duck.execute("SELECT problem, count(*) FROM image_problems GROUP BY ALL").fetchall()
    lacking = duck.execute("SELECT count(*) FROM products WHERE image_sha256 IS NULL").fetchone()
    problems = dict(told)
    assert (problems.get("no picture", 0) + problems["unusable picture"],) == lacking
    best = duck.execute(
        "SELECT known_type, support * predicted_probability FROM misclassified ORDER BY place"
    ).fetchall()
    assert best == sorted(best, reverse=True)
