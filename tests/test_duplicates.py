"""Clusters of products that are shots of the same thing."""

import pandas as pd
from pyspark.sql import functions as F

from fashionrec.config import load
from fashionrec.duplicates import are_found, clusters, find_duplicates
from fashionrec.store import Store
from fashionrec.tables import DUPLICATES, RECOMMENDATIONS


def test_clusters_are_what_pairs_connect() -> None:
    pairs = pd.DataFrame(
        {
            "product_id": [9, 5, 7, 30, 20],
            "neighbour_id": [5, 3, 8, 20, 30],
            "similarity": [0.99, 0.98, 1.0, 0.985, 0.985],
        }
    )
    assert clusters(pairs).to_numpy().tolist() == [
        [3, 3, 0.98],
        [5, 3, 0.99],
        [7, 7, 1.0],
        [8, 7, 1.0],
        [9, 3, 0.99],
        [20, 20, 0.985],
        [30, 20, 0.985],
    ]
    assert clusters(pairs[:0]).empty


def test_they_follow_recommendations_and_the_limits(night: Store) -> None:
    settings = load().near_duplicates
    version = night.version(DUPLICATES)
    assert are_found(night, settings)
    find_duplicates(night, settings)
    assert night.version(DUPLICATES) == version
    at_once = settings.model_copy(update={"same_name": settings.same_name + 1e-9})
    rows = night.read(DUPLICATES).collect()
    assert not are_found(night, at_once)
    find_duplicates(night, at_once)  # the same clusters: their state alone is new
    assert night.state(DUPLICATES)["same_name"] == at_once.same_name
    assert night.read(DUPLICATES).collect() == rows
    lower = settings.model_copy(update={"similarity": 0.9})
    find_duplicates(night, lower)
    found = {row.product_id for row in night.read(DUPLICATES).collect()}
    similar = night.read(RECOMMENDATIONS).where("list = 'similar' AND similarity >= 0.9")
    ends = similar.select(F.explode(F.array("product_id", "neighbour_id")).alias("id")).collect()
    assert found == {row.id for row in ends}
    assert found
