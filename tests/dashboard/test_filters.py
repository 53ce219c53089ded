"""Filters, the search by name, and what is exported, without a browser."""

import csv
import io

import pandas as pd
import pytest

from fashionrec.dashboard import catalogue
from fashionrec.dashboard.export import as_csv
from fashionrec.dashboard.figures import label
from fashionrec.dashboard.filters import FIELDS, NONE, Filters, from_query, search_condition
from fashionrec.dashboard.page import plain
from fashionrec.dashboard.warehouse import Warehouse


def test_only_values_of_the_catalogue_are_taken_from_a_url() -> None:
    known = {"gender": ["Men", "Women"], "year": ["2011"]}
    given = {"gender": ["Women", "'; DROP TABLE products"], "year": ["x" * 500], "nothing": ["Men"]}
    assert from_query(given, known) == Filters({"gender": ("Women",)})


def test_values_are_bound_and_never_written_into_sql() -> None:
    filters = Filters({"gender": ("Men", "') OR 1=1 --"), "year": ("2011",)})
    assert filters.where == "gender IN (?, ?) AND year IN (?)"
    assert filters.values == ["Men", "') OR 1=1 --", "2011"]


def test_counts_are_those_of_the_table(shop: Warehouse) -> None:
    men = Filters({"gender": ("Men",)})
    products = shop.rows("SELECT * FROM products WHERE gender = 'Men'")
    assert catalogue.totals(shop, men)["products"] == len(products) > 0
    expected = products["season"].fillna(NONE).value_counts().to_dict()
    found = catalogue.count_by(shop, men, "season")
    assert dict(zip(found["season"], found["products"], strict=True)) == expected


@pytest.mark.parametrize("name", FIELDS)
def test_the_values_of_a_field_cover_all_products(shop: Warehouse, name: str) -> None:
    every = Filters({name: tuple(catalogue.values_of(shop)[name])})
    assert catalogue.totals(shop, every) == catalogue.totals(shop, Filters())


def test_growth_is_over_the_year_before(shop: Warehouse) -> None:
    rows = catalogue.per_year(shop, Filters())
    counts = dict(zip(rows["year"], rows["products"], strict=True))
    for row in rows.itertuples():
        before = counts.get(row.year - 1)
        expected = 100 * (row.products / before - 1) if before else float("nan")
        assert row.growth == pytest.approx(expected, nan_ok=True)


def test_small_series_are_put_together_and_nothing_is_lost(shop: Warehouse) -> None:
    rows = catalogue.per_year_and(shop, Filters(), "base_colour")
    assert rows["base_colour"].nunique() <= 9
    assert rows["products"].sum() == catalogue.per_year(shop, Filters())["products"].sum()


@pytest.mark.parametrize("text", ["", "%", "_", "!", "'", "white", "WHITE heels", "no such thing"])
def test_a_search_finds_names_that_have_every_word(shop: Warehouse, text: str) -> None:
    condition, values = search_condition(text)
    found = shop.rows(f"SELECT name FROM catalogue WHERE {condition}", values)["name"]
    names = shop.rows("SELECT name FROM catalogue")["name"]
    words = text.lower().split()
    expected = [name for name in names if all(word in name.lower() for word in words)]
    assert sorted(found) == sorted(expected)


def test_a_search_finds_an_id(shop: Warehouse) -> None:
    product_id = int(shop.rows("SELECT max(product_id) AS id FROM products")["id"].iloc[0])
    _, rows = catalogue.page_of(shop, Filters(), str(product_id), 1, 10)
    assert product_id in rows["product_id"].tolist()


def test_pages_have_every_product_once(shop: Warehouse) -> None:
    count, _ = catalogue.page_of(shop, Filters(), "", 1, 7)
    pages = [
        catalogue.page_of(shop, Filters(), "", page, 7)[1] for page in range(1, -(-count // 7) + 1)
    ]
    ids = pd.concat(pages)["product_id"].tolist()
    assert ids == sorted(set(ids))
    assert len(ids) == count
    last = catalogue.page_of(shop, Filters(), "", 10**15, 7)[1]
    assert last["product_id"].tolist() == pages[-1]["product_id"].tolist()


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "|calc", "%x", "＝1", "\x00=1"],
)
def test_no_cell_is_a_formula(text: str) -> None:
    rows = pd.DataFrame({text: [text, -1.5, None]})
    content = as_csv(rows).decode("utf-8-sig")
    header, *cells = csv.reader(io.StringIO(content, newline=""))
    assert header[0].startswith("'")
    assert cells[0][0].startswith("'")
    assert cells[1:] == [["-1.5"], [""]]


def test_other_cells_are_as_they_were() -> None:
    rows = pd.DataFrame({"name": ['Ochre & "Oak", 3', "a-b", "ü"], "products": [1, 2, 3]})
    found = pd.read_csv(io.BytesIO(as_csv(rows)), encoding="utf-8-sig")
    assert found.equals(rows)


def test_markup_of_the_catalogue_is_shown_as_it_stands() -> None:
    assert label("<b>&lt;</b>") == "&lt;b&gt;&amp;lt;&lt;/b&gt;"
    assert plain("[x](javascript:1) **b** $a$") == (r"\[x\]\(javascript\:1\) \*\*b\*\* \$a\$")
