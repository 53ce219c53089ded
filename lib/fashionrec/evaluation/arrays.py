"""The tables as arrays on the driver: what an evaluation looks at."""

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

from fashionrec.evaluation.classification import Answers
from fashionrec.evaluation.judge import Catalogue
from fashionrec.neighbours.items import prepare_items
from fashionrec.neighbours.lists import Floats, Ints
from fashionrec.neighbours.topk import self_top_k
from fashionrec.store import Store
from fashionrec.tables import EMBEDDINGS, IMAGES, PRODUCTS

_TOLD = (
    "article_type",
    "gender",
    "base_colour",
    "usage",
    "master_category",
    "product_display_name",
)


def catalogue_of(store: Store) -> Catalogue:
    """Return the products with a picture, in order of id."""
    pictured = ds.field("image_sha256").is_valid()
    rows = store.scan(PRODUCTS, ["product_id", *_TOLD], pictured).to_table().sort_by("product_id")
    columns = {name: np.array(rows[name].to_pylist(), dtype=object) for name in _TOLD}
    return Catalogue(rows["product_id"].to_numpy(), columns)


def vectors_of(store: Store, model_version: str, ids: Ints) -> Floats:
    """Return the embeddings of a model version, float32 [m, d], in the order of `ids`."""
    rows = _of_model(store, model_version, ["product_id", "embedding"])
    values = rows["embedding"].combine_chunks().flatten().to_numpy().reshape(len(rows), -1)
    return np.ascontiguousarray(values[_places(rows, ids)], np.float32)


def answers_of(store: Store, model_version: str, catalogue: Catalogue) -> Answers:
    """Return what a model version says of every product, in the order of the catalogue."""
    columns = ["product_id", "predicted_article_type", "predicted_probability"]
    rows = _of_model(store, model_version, columns)
    rows = rows.take(_places(rows, catalogue.ids))
    return Answers(
        catalogue.ids,
        np.array([str(value) for value in catalogue.columns["article_type"]]),
        np.array([str(value) for value in rows["predicted_article_type"].to_pylist()]),
        np.nan_to_num(rows["predicted_probability"].to_numpy().astype(np.float64)),
    )


def contents_of(store: Store, ids: Ints) -> dict[int, bytes]:
    """Return the pictures of a few products."""
    wanted = ds.field("product_id").isin(ids.tolist())
    rows = store.scan(IMAGES, ["product_id", "content"], wanted).to_table()
    return dict(zip(rows["product_id"].to_pylist(), rows["content"].to_pylist(), strict=True))


def lists_by(vectors: Floats, ids: Ints, k: int) -> Ints:
    """Return the k nearest others of each row, as row numbers, padded with -1."""
    found = self_top_k(prepare_items(vectors, ids), k).ids
    return np.where(found >= 0, np.searchsorted(ids, found), -1)


def _of_model(store: Store, model_version: str, columns: list[str]) -> pa.Table:
    of_model = ds.field("model_version") == model_version
    return store.scan(EMBEDDINGS, columns, of_model).to_table()


def _places(rows: pa.Table, ids: Ints) -> Ints:
    """Return where each id is among rows that hold all of them, in any order."""
    there = rows["product_id"].to_numpy()
    order = np.argsort(there)
    places = order[np.searchsorted(there, ids, sorter=order).clip(max=len(there) - 1)]
    if not np.array_equal(there[places], ids):
        raise ValueError("products without an embedding: run embed again")
    return np.asarray(places)
