"""The table `images`: compared without its content, which is read for what differs alone."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fashionrec.changes import CHANGE, Written, count_changes
from fashionrec.datafiles import BYTES_PER_FILE, Batches
from fashionrec.errors import FashionrecError
from fashionrec.ingest import derive
from fashionrec.ingest.catalogue import Catalogue
from fashionrec.ingest.entries import IMAGE, Entry, read_content
from fashionrec.ingest.links import is_url
from fashionrec.paths import read_each
from fashionrec.store import Store
from fashionrec.tables import IMAGES

_ROWS_PER_TASK = 5_000
_PLACE = ["path", "archive", "offset", "size", "sha256", "content"]


@dataclass(frozen=True)
class Reader:
    """Reads pictures of a catalogue, at most `max_bytes` of each."""

    folder: Path
    max_bytes: int

    def filled(self, batches: Batches) -> Iterator[pa.RecordBatch]:
        """Fill the column `content` where it is null; bytes must still have the row's `sha256`."""
        for batch in batches:
            for rows in _portions(batch):
                places = rows.select(_PLACE).to_pylist()
                contents = read_each(self.folder, self._content, places)
                columns = dict(zip(rows.schema.names, rows.columns, strict=True))
                columns["content"] = pa.array(contents, pa.binary())
                yield pa.RecordBatch.from_pydict(columns)

    def _content(self, row: dict[str, Any]) -> bytes:
        if row["content"] is not None:
            return bytes(row["content"])
        if is_url(row["archive"]):
            raise FashionrecError(
                f"{row['archive']}: images lacks its picture: run again with --verify"
            )
        entry = Entry(row["path"], IMAGE, None, row["size"], 0, row["archive"], row["offset"])
        content = read_content(self.folder, entry, self.max_bytes)
        if hashlib.sha256(content).hexdigest() != row["sha256"]:
            place = self.folder / row["path"]
            raise FashionrecError(f"{place}: changed while it was read: run again")
        return content


def write_images(store: Store, catalogue: Catalogue, reader: Reader) -> Written:
    """Make `images` hold the catalogue's pictures; return what differed."""
    pictures = derive.images(catalogue.pictures)
    since = store.latest(IMAGES)
    changes = store.changes(IMAGES, pictures, derive.image_columns()).persist()
    written = count_changes(changes)
    if written.total:
        kept = _placed(changes.where(f"{CHANGE} <> 'delete'"), catalogue, written.total)
        if written.updated or written.deleted:
            _merge(store, changes, kept, reader, written, since)
        else:
            store.append(IMAGES, kept, complete=reader.filled, since=since)
    changes.unpersist()
    return written


def _placed(pictures: DataFrame, catalogue: Catalogue, count: int) -> DataFrame:
    """Add where each picture lies, and its content where it was fetched, in the order of ids."""
    places = catalogue.entries.select("path", "archive", "offset")
    fetched = catalogue.fetched.select("path", "content")
    placed = pictures.join(places, on="path", how="inner").join(fetched, on="path", how="left")
    least = pictures.sparkSession.sparkContext.defaultParallelism
    tasks = max(least, count // _ROWS_PER_TASK)
    return placed.repartitionByRange(tasks, "product_id").sortWithinPartitions("product_id")


def _merge(
    store: Store,
    changes: DataFrame,
    kept: DataFrame,
    reader: Reader,
    written: Written,
    since: int,
) -> None:
    columns = [CHANGE, *IMAGES.names]
    rows = kept.mapInArrow(reader.filled, kept.schema).select(*columns)
    gone = changes.where(f"{CHANGE} = 'delete'").withColumn("content", F.lit(None).cast("binary"))
    store.apply(IMAGES, rows.unionByName(gone.select(*columns)), written, since)


def _portions(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Cut a batch where the pictures that it names would fill a file."""
    start, size = 0, 0
    for row, more in enumerate(batch["size"].to_pylist()):
        size += more
        if size > BYTES_PER_FILE:
            yield batch.slice(start, row + 1 - start)
            start, size = row + 1, 0
    if start < len(batch):
        yield batch.slice(start)
