"""What lists are made of: keys and columns of products, and each distinct picture's vector."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

from fashionrec.neighbours.lists import Ints
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

    `pictures` [p]: the row of each product's picture in the file `vectors`, float32 [n, d] of unit
    length, where each distinct picture is once, in the order of its lowest product.
    """

    ids: Ints
    pictures: Ints
    vectors: Path


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
    return embedded.join(products, "product_id").sort_by("product_id")


def export_catalogue(
    store: TableReader, model_version: str, version: int, keys: pa.Table, folder: Path
) -> Catalogue:
    """Write the vectors of one version of `embeddings` into `folder`, in bounded memory."""
    # Executors keep a session's files in one folder: the names are unique.
    path = folder / f"vectors-{uuid4().hex}.npy"
    ids = keys["product_id"].to_numpy()
    shown, lowest = _pictures(keys[_SHA])
    of_model = ds.field("model_version") == model_version
    rows = store.scan(EMBEDDINGS, ["product_id", "embedding"], of_model, version).to_batches()
    _write_vectors(rows, ids[lowest], path)
    return Catalogue(ids, shown, path)


def _pictures(shas: pa.ChunkedArray) -> tuple[Ints, Ints]:
    """Number pictures in the order of their lowest product; and the place of that product."""
    codes = encode(shas).codes
    _, first, picture = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[picture], first[order]


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
        place = np.searchsorted(ids, product_ids).clip(max=len(ids) - 1)
        own = ids[place] == product_ids
        vectors[place[own]] = values[own]
    if vectors is None:
        np.save(path, np.empty((0, 1), np.float32))
