"""A catalogue's entries as rows of a file: of however many, a batch is in memory at a time."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from fashionrec.ingest.entries import Entry
from fashionrec.ingest.listing import ListShard, csv_entries, list_catalogue
from fashionrec.ingest.tars import list_tar
from fashionrec.paths import at, copy_files, remove_if_there

ENTRIES = pa.schema(
    [
        ("path", pa.string()),
        ("kind", pa.string()),
        ("product_id", pa.int64()),
        ("size", pa.int64()),
        ("mtime", pa.int64()),
        ("archive", pa.string()),
        ("offset", pa.int64()),
        ("problem", pa.string()),
        ("line", pa.int64()),
        ("raw", pa.string()),
        ("checks", pa.string()),
    ]
)
FOLDER = "_listing"  # below the warehouse
ROWS_PER_BATCH = 10_000


@contextmanager
def listed(
    folder: Path, checks: dict[str, str], list_shard: ListShard = list_tar
) -> Iterator[Path]:
    """Give the catalogue's entries as a Parquet file of this machine, which then goes.

    It has the columns of `ENTRIES`; `checks` are those that each kind is examined under;
    `list_shard` gives the members of a tar.
    """
    with TemporaryDirectory(prefix="fashionrec-") as temporary:
        # Never a name that was there before: what Spark remembers of a file goes by its name.
        file = Path(temporary, f"{uuid4()}.parquet")
        entries = chain(csv_entries(folder), list_catalogue(folder, list_shard))
        yield write_rows(file, entry_rows(entries, checks), ENTRIES)


@contextmanager
def shared(listing: Path, warehouse: str) -> Iterator[str]:
    """Give a copy below the warehouse, where executors reach it, which then goes.

    So does what a killed run left there: the warehouse is locked.
    """
    folder = at(warehouse) / FOLDER
    remove_if_there(folder)
    try:
        copy_files([listing], folder)
        yield str(folder / listing.name)
    finally:
        remove_if_there(folder)


def entry_rows(entries: Iterable[Entry], checks: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Return the entries as rows of `ENTRIES`."""
    return (vars(entry) | {"checks": checks[entry.kind]} for entry in entries)


def write_rows(file: Path, rows: Iterable[dict[str, Any]], schema: pa.Schema) -> Path:
    """Write rows as a Parquet file, and return it."""
    with pq.ParquetWriter(file, schema) as writer:
        for batch in as_batches(rows, schema):
            writer.write_batch(batch)
    return file


def as_batches(rows: Iterable[dict[str, Any]], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Return the rows as batches."""
    left = iter(rows)
    while portion := list(islice(left, ROWS_PER_BATCH)):
        yield pa.RecordBatch.from_pylist(portion, schema)
