"""The colour histograms of all pictures, by Spark's tasks."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from fashionrec.evaluation.colours import colour_histogram
from fashionrec.neighbours.lists import Floats, Ints
from fashionrec.store import Store
from fashionrec.tables import IMAGES

_SCHEMA = "product_id BIGINT, colours ARRAY<FLOAT>"


def colour_vectors(store: Store, ids: Ints) -> Floats:
    """Return the histogram of each product's picture, float32 [m, 64], in the order of `ids`."""
    pictures = store.read(IMAGES).select("product_id", "content")
    rows = pictures.mapInArrow(_histograms, _SCHEMA).orderBy("product_id").toArrow()
    values = rows["colours"].combine_chunks().flatten().to_numpy().reshape(len(rows), -1)
    return np.ascontiguousarray(values[np.isin(rows["product_id"].to_numpy(), ids)], np.float32)


def _histograms(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        colours = [colour_histogram(content) for content in batch["content"].to_pylist()]
        values = pa.array(colours, pa.list_(pa.float32()))
        yield pa.RecordBatch.from_arrays([batch["product_id"], values], ["product_id", "colours"])
