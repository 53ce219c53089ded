"""What lists are made of: keys and columns of products, and each distinct picture's vector."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

from fashionrec.neighbours.lists import Ints, are_among
from fashionrec.neighbours.rules import encode
from fashionrec.read import TableReader
from fashionrec.tables import EMBEDDINGS, PRODUCTS

_SHA = "image_sha256"


@dataclass(frozen=True)
class Versions:
    """The versions of `embeddings` and `products` that lists were or will be made from."""

    embeddings: int
    products: int


@dataclass(frozen=True)
class Catalogue:
    """Products `ids` [p], ascending, with pictures.

    `pictures` [p]: the number of each product's picture among the distinct ones, which go by their
    lowest product; `lowest` [n]: the place of that product.
    """

    ids: Ints
    pictures: Ints
    lowest: Ints


def read_keys(
    store: TableReader, model_version: str, versions: Versions, columns: Sequence[str]
) -> pa.Table | None:
    """Product_id, image_sha256 and columns of the products that have an embedding, by product_id;
    None where the versions can no longer be read."""
    of_model = ds.field("model_version") == model_version
    embedded = store.read_version(
        EMBEDDINGS, ["product_id", _SHA], versions.embeddings, where=of_model
    )
    products = store.read_version(PRODUCTS, ["product_id", *columns], versions.products)
    if embedded is None or products is None:
        return None
    return by_product(embedded.join(products, "product_id"))


def by_product(keys: pa.Table) -> pa.Table:
    """Keys in order of product.

    Strings get 64-bit offsets: Arrow sorts a column in one array, and 33 million hashes are more
    than one with others holds.
    """
    wide = [
        field.with_type(pa.large_string()) if field.type == pa.string() else field
        for field in keys.schema
    ]
    return keys.cast(pa.schema(wide)).sort_by("product_id")


def catalogue_of(keys: pa.Table) -> Catalogue:
    """The products of `read_keys`, and which of them share a picture."""
    _, first, picture = np.unique(encode(keys[_SHA]).codes, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return Catalogue(keys["product_id"].to_numpy(), rank[picture], first[order])


def export_vectors(
    store: TableReader, model_version: str, version: int, catalogue: Catalogue, path: Path
) -> None:
    """Write the vectors of one version of `embeddings`, float32 [n, d] of unit length, a row per
    distinct picture, in bounded memory."""
    ids = catalogue.ids[catalogue.lowest]
    of_model = ds.field("model_version") == model_version
    rows = store.scan(EMBEDDINGS, ["product_id", "embedding"], of_model, version).to_batches()
    _write_vectors(rows, ids, path)


def _write_vectors(rows: Iterator[pa.RecordBatch], ids: Ints, path: Path) -> None:
    vectors = None
    for batch in rows:
        if not len(batch):
            continue
        values = batch["embedding"].flatten().to_numpy().reshape(len(batch), -1)
        if vectors is None:
            shape = (len(ids), values.shape[1])
            vectors = np.lib.format.open_memmap(path, "w+", np.float32, shape)  # type: ignore[no-untyped-call]
            with path.open("rb+") as room:  # a full disk would else kill whoever writes to the map
                os.posix_fallocate(room.fileno(), 0, path.stat().st_size)
        product_ids = batch["product_id"].to_numpy()
        own = are_among(product_ids, ids)
        vectors[np.searchsorted(ids, product_ids[own])] = values[own]
    if vectors is None:
        np.save(path, np.empty((0, 1), np.float32))
