"""Rows that judge a model: of an evaluation's report, and of what it says of the catalogue."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fashionrec.dashboard.warehouse import Warehouse

_ROUNDS = 30

# What the current model says of each product that has both a type and a prediction.
_ANSWERS = (
    "WITH answers AS (SELECT p.product_id, p.product_display_name AS name, p.article_type, "
    "e.predicted_article_type AS predicted, e.predicted_probability AS probability "
    "FROM products p JOIN predictions e USING (product_id) "
    "JOIN models m ON m.model_version = e.model_version AND m.current "
    "WHERE p.article_type IS NOT NULL AND e.predicted_article_type IS NOT NULL) "
)


def confusions(warehouse: Warehouse, most: int) -> pd.DataFrame:
    """Return catalogued, predicted and products, of the types that are confused most often."""
    return warehouse.rows(
        _ANSWERS + ", counts AS (SELECT article_type AS catalogued, predicted, count(*) AS "
        "products FROM answers GROUP BY ALL), "
        "wrong AS (SELECT unnest([catalogued, predicted]) AS type, products FROM counts "
        "WHERE catalogued <> predicted), "
        f"worst AS (SELECT type FROM wrong GROUP BY type ORDER BY sum(products) DESC, type "
        f"LIMIT {most:d}) "
        "SELECT * FROM counts WHERE catalogued IN (FROM worst) AND predicted IN (FROM worst) "
        "ORDER BY ALL"
    )


def mistakes(warehouse: Warehouse) -> pd.DataFrame:
    """Return the rows of `misclassified`, likely errors of the catalogue first."""
    rows = warehouse.rows("SELECT * FROM misclassified ORDER BY place")
    return rows.rename(columns={"product_display_name": "name"}).fillna({"name": ""})


def precision_of(report: dict[str, Any]) -> pd.DataFrame:
    """Return system, neighbour and value with its interval: precision of the lists."""
    return pd.DataFrame(
        [
            {"system": system, "neighbour": name, **{k: told[k] for k in ("value", "low", "high")}}
            for system, figures in report["retrieval"].items()
            for name, told in figures["precision"].items()
        ],
        columns=["system", "neighbour", "value", "low", "high"],
    )


def slices_of(report: dict[str, Any], most: int = 15) -> pd.DataFrame:
    """Return the slices of the first system that are served worst."""
    first: dict[str, Any] = next(iter(report["retrieval"].values()), {"slices": []})
    rows = [
        {
            "by": part["by"],
            "slice": part["slice"],
            "queries": part["queries"],
            "precision": part["precision"]["article type"]["value"],
        }
        for part in first["slices"][:most]
    ]
    return pd.DataFrame(rows, columns=["by", "slice", "queries", "precision"])


def map_of(warehouse: Warehouse, most: int, seed: int = 7) -> pd.DataFrame:
    """Return id, x, y, name, article_type and master_category of a random sample of products.

    x and y are the embeddings' first two principal components.
    """
    searchable = warehouse.searchable
    assert searchable is not None
    draw = np.random.default_rng(seed)
    count = len(searchable.ids)
    places = np.sort(draw.choice(count, min(most, count), replace=False))
    vectors = searchable.items.vectors[searchable.pictures[places]]
    centred = (vectors - vectors.mean(0)).astype(np.float64)
    spots = _two_components(centred, draw)
    frame = pd.DataFrame({"id": searchable.ids[places], "x": spots[:, 0], "y": spots[:, 1]})
    told = warehouse.rows(
        "SELECT product_id AS id, name, article_type, master_category "
        "FROM catalogue WHERE has_picture"
    )
    return frame.merge(told, on="id")


def _two_components(centred: NDArray[np.float64], draw: np.random.Generator) -> NDArray[np.float64]:
    """Return the places [n, 2] along the two main axes, by subspace iteration: a whole singular
    value decomposition would take seconds.
    """
    axes = draw.standard_normal((centred.shape[1], 2))
    for _ in range(_ROUNDS):
        axes = np.linalg.qr(centred.T @ (centred @ axes))[0]
    left, sizes, _ = np.linalg.svd(centred @ axes, full_matrices=False)
    return np.asarray(left * sizes)
