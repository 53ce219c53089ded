"""The embeddings of a model version as one memory-mapped file, each distinct picture once."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
from numpy.typing import NDArray

from fashionrec.store import Store
from fashionrec.tables import EMBEDDINGS


@dataclass(frozen=True)
class Matrix:
    """Files that hold float32 [n, d] unit vectors and int64 [n] ids, ascending.

    Pictures that several products share appear once, under the lowest of their ids: `members`
    pairs every product (int64 [p]) with the id (int64 [p]) that stands for its picture.
    """

    vectors: Path
    ids: Path
    products: NDArray[np.int64]
    representatives: NDArray[np.int64]


def export_matrix(store: Store, model_version: str, version: int, folder: Path) -> Matrix:
    """Write the vectors of one version of `embeddings` into `folder`, in bounded memory."""
    # The files go to executors, where a session's files share one folder: the names are unique.
    name = uuid4().hex
    vectors_file, ids_file = folder / f"vectors-{name}.npy", folder / f"ids-{name}.npy"
    where = ds.field("model_version") == model_version
    scan = partial(store.scan, EMBEDDINGS, where=where, version=version)
    keys = scan(["product_id", "image_sha256"]).to_table().sort_by("product_id")
    products = keys["product_id"].to_numpy()
    _, first, picture = np.unique(
        keys["image_sha256"].to_numpy(), return_index=True, return_inverse=True
    )
    ids = np.sort(products[first])
    np.save(ids_file, ids)
    rows = scan(["product_id", "embedding"]).to_batches()
    _write_vectors(rows, ids, vectors_file)
    return Matrix(vectors_file, ids_file, products, products[first][picture])


def _write_vectors(rows: Iterator[pa.RecordBatch], ids: NDArray[np.int64], path: Path) -> None:
    vectors = None
    for batch in rows:
        if not len(batch):
            continue
        values = batch["embedding"].flatten().to_numpy().reshape(len(batch), -1)
        if vectors is None:
            shape = (len(ids), values.shape[1])
            vectors = np.lib.format.open_memmap(path, "w+", np.float32, shape)  # type: ignore[no-untyped-call]
        product_ids = batch["product_id"].to_numpy()
        place = np.searchsorted(ids, product_ids).clip(max=len(ids) - 1)
        own = ids[place] == product_ids
        vectors[place[own]] = values[own]
    if vectors is None:
        np.save(path, np.empty((0, 1), np.float32))
