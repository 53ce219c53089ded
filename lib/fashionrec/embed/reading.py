"""Pictures come from the files of `images` themselves: by way of Java each takes milliseconds."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import pyarrow.parquet as pq

from fashionrec.datafiles import Batches
from fashionrec.embed.frames import Contents
from fashionrec.paths import open_file

_ROWS_AT_ONCE = 32


def contents_of_files(batches: Batches, folder: str) -> Contents:
    """Return key and bytes of the pictures named by rows of product_id, image_sha256, file.

    Rows of one file come one after another, as a scan brings them, so each file is read once;
    it lies directly below `folder`.
    """
    rows = (row for batch in batches for row in batch.to_pylist())
    for file, named in groupby(rows, key=lambda row: row["file"]):
        wanted = {row["product_id"]: row["image_sha256"] for row in named}
        for row in _rows_of(f"{folder}/{file}"):
            if (product_id := row["product_id"]) in wanted:
                yield (product_id, wanted[product_id]), row["content"]


def _rows_of(path: str) -> Iterator[dict[str, Any]]:
    columns = ["product_id", "content"]
    with open_file(path) as stream, pq.ParquetFile(stream) as file:
        # One thread: tasks share the cores among them.
        for batch in file.iter_batches(_ROWS_AT_ONCE, columns=columns, use_threads=False):
            yield from batch.to_pylist()
