"""The catalogue's figures: rows for each chart, under filters."""

from collections.abc import Sequence

import pandas as pd

from fashionrec.dashboard.filters import FIELDS, NONE, Filters, search_condition
from fashionrec.dashboard.warehouse import Warehouse

_SERIES = 8  # of a chart over years; what is left is one more


def values_of(warehouse: Warehouse) -> dict[str, list[str]]:
    """Return the values of each field, in order."""
    return {
        name: warehouse.rows(f"SELECT DISTINCT {name} FROM catalogue ORDER BY ALL")[name].tolist()
        for name in FIELDS
    }


def count_by(
    warehouse: Warehouse, filters: Filters, *names: str, most: int | None = None
) -> pd.DataFrame:
    """Return products per combination of values, the most first; names are those of FIELDS."""
    columns = ", ".join(names)
    limit = f" LIMIT {most:d}" if most else ""
    return warehouse.rows(
        f"SELECT {columns}, count(*) AS products FROM catalogue WHERE {filters.where} "
        f"GROUP BY ALL ORDER BY products DESC, {columns}{limit}",
        filters.values,
    )


def totals(warehouse: Warehouse, filters: Filters) -> dict[str, int]:
    """Return how many products, pictures, article types and names there are."""
    row = warehouse.rows(
        "SELECT count(*) AS products, count(*) FILTER (has_picture) AS pictures, "
        "count(DISTINCT article_type) AS types, count(DISTINCT name) AS names "
        f"FROM catalogue WHERE {filters.where}",
        filters.values,
    )
    return {name: int(row[name].iloc[0]) for name in row.columns}


def per_year(warehouse: Warehouse, filters: Filters) -> pd.DataFrame:
    """Return year, products, and growth over the catalogue's year before in percent."""
    rows = count_by(warehouse, filters, "year")
    rows = rows[rows["year"] != NONE].astype({"year": int}).sort_values("year", ignore_index=True)
    before = rows["year"].map(rows.set_index("year")["products"].rename(index=lambda y: y + 1))
    return rows.assign(growth=100 * (rows["products"] / before - 1))


def per_year_and(warehouse: Warehouse, filters: Filters, name: str) -> pd.DataFrame:
    """Return year, value and products, in order; small series are put together as 'others'."""
    rows = count_by(warehouse, filters, "year", name)
    rows = rows[rows["year"] != NONE].astype({"year": int})
    sums = rows.groupby(name)["products"].sum().sort_values(ascending=False, kind="stable")
    large = list(sums.index[:_SERIES])
    rows[name] = rows[name].where(rows[name].isin(large), "others")
    summed = rows.groupby(["year", name])["products"].sum().reset_index()
    rank = {value: i for i, value in enumerate([*large, "others"])}
    summed["rank"] = summed[name].map(rank)
    return summed.sort_values(["rank", "year"], ignore_index=True).drop(columns="rank")


def flow(warehouse: Warehouse, filters: Filters) -> pd.DataFrame:
    """Return how many products come through each step of a night."""
    row = warehouse.rows(
        "WITH chosen AS (SELECT product_id, has_picture FROM catalogue WHERE "
        f"{filters.where}) SELECT count(*) AS catalogued, count(*) FILTER (has_picture) AS "
        "pictured, count(*) FILTER (product_id IN (SELECT product_id FROM predictions)) AS "
        "embedded, count(*) FILTER (product_id IN (SELECT product_id FROM recommendations)) AS "
        "recommended FROM chosen",
        filters.values,
    ).iloc[0]
    told = {
        "in the catalogue": "catalogued",
        "with a usable picture": "pictured",
        "with an embedding": "embedded",
        "with published neighbours": "recommended",
    }
    return pd.DataFrame(
        {"step": list(told), "products": [int(row[column]) for column in told.values()]}
    )


def names_of(warehouse: Warehouse, filters: Filters) -> list[str]:
    """Return the names of the products."""
    sql = f"SELECT name FROM catalogue WHERE {filters.where}"
    return list(warehouse.rows(sql, filters.values)["name"])


def page_of(
    warehouse: Warehouse, filters: Filters, text: str, page: int, size: int
) -> tuple[int, pd.DataFrame]:
    """Return how many products fit filters and search, and those of one page, from 1."""
    condition, values = search_condition(text)
    where, bound = f"{filters.where} AND {condition}", [*filters.values, *values]
    sql = f"SELECT count(*) AS n FROM catalogue WHERE {where}"
    count = int(warehouse.rows(sql, bound)["n"].iloc[0])
    offset = max(0, min(page - 1, max(count - 1, 0) // size)) * size
    rows = warehouse.rows(
        f"SELECT * FROM catalogue WHERE {where} ORDER BY product_id LIMIT {size:d} "
        f"OFFSET {offset:d}",
        bound,
    )
    return count, rows


def told_of(warehouse: Warehouse, ids: Sequence[int]) -> dict[int, dict[str, object]]:
    """Return what is known of a few products, by id; what the catalogue does not give is left out.

    Predictions are the current model's.
    """
    rows = warehouse.rows(
        "SELECT p.*, e.predicted_article_type, e.predicted_probability, e.predicted_accepted "
        "FROM products p LEFT JOIN predictions e ON e.product_id = p.product_id AND "
        "e.model_version = (SELECT max(model_version) FROM models WHERE current) "
        "WHERE p.product_id IN (SELECT unnest(?)) ",
        [list(ids)],
    )
    return {
        int(row["product_id"]): {str(name): value for name, value in row.items() if pd.notna(value)}
        for row in rows.to_dict("records")
    }


def published(warehouse: Warehouse, product_id: int) -> pd.DataFrame:
    """Return a product's published lists: list, neighbour_id, similarity, `similar` first."""
    return warehouse.rows(
        "SELECT list, rank, neighbour_id, similarity FROM recommendations WHERE product_id = ? "
        "ORDER BY list <> 'similar', list, rank",
        [product_id],
    )
