"""The table `duplicates`: clusters of products that are shots or copies of the same thing."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fashionrec.lookup import SIMILAR
from fashionrec.read import TableReader
from fashionrec.settings import DuplicateSettings
from fashionrec.tables import DUPLICATES, RECOMMENDATIONS
from fashionrec.write import TableWriter


def are_found(store: TableReader, settings: DuplicateSettings) -> bool:
    """Say whether `duplicates` is up to date with `recommendations` and the limits."""
    return store.state(DUPLICATES) == _state(store, settings)


def find_duplicates(store: TableWriter, settings: DuplicateSettings) -> None:
    """Bring `duplicates` up to date."""
    columns = ["product_id", "neighbour_id", "similarity"]
    pairs = store.scan(RECOMMENDATIONS, columns, _alike(settings)).to_table().to_pandas()
    rows = pa.Table.from_pandas(clusters(pairs), store.arrow_schema(DUPLICATES))
    store.rewrite(DUPLICATES, rows.replace_schema_metadata(), _state(store, settings))


def _state(store: TableReader, settings: DuplicateSettings) -> dict[str, Any]:
    return {"read": store.version(RECOMMENDATIONS), **settings.model_dump()}


def _alike(settings: DuplicateSettings) -> ds.Expression:
    similarity = ds.field("similarity")
    same_name = ds.field("product_display_name") == ds.field("neighbour_display_name")
    alike = (similarity >= settings.similarity) | (same_name & (similarity >= settings.same_name))
    return (ds.field("list") == SIMILAR) & alike


def clusters(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `duplicates`: the connected components of pairs, told either way round."""
    back = pairs.rename(columns={"product_id": "neighbour_id", "neighbour_id": "product_id"})
    closest = pd.concat([pairs, back]).groupby("product_id")["similarity"].max()
    ids = closest.index.to_numpy()
    ends = [np.searchsorted(ids, pairs[end]) for end in ("product_id", "neighbour_id")]
    links = coo_array((np.ones(len(pairs)), tuple(ends)), shape=(len(ids), len(ids)))
    _, labels = connected_components(links, directed=False)
    rows = pd.DataFrame({"product_id": ids, "cluster": labels, "similarity": closest.to_numpy()})
    rows["cluster_id"] = rows.groupby("cluster")["product_id"].transform("min")
    return rows[["product_id", "cluster_id", "similarity"]]
