"""Parquet files that workers write into a table's folder, for `Store.add_files` to commit.

No reader sees a file that was not committed: what a killed run or a failed task leaves is waste
that VACUUM removes. No Spark.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fashionrec.paths import at


@dataclass(frozen=True)
class DataFile:
    """A file directly below a table's folder: its name, its bytes, and Delta's stats as JSON."""

    path: str
    size: int
    stats: str

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return int(json.loads(self.stats)["numRecords"])


Batches = Iterable[pa.RecordBatch]

FILE = pa.schema({"path": pa.string(), "size": pa.int64(), "stats": pa.string()})
ROWS_PER_GROUP = 8_192  # a look-up of one product reads whole groups
BYTES_PER_FILE = 64 << 20  # of content in memory: what a worker holds at least


def write_files(
    batches: Batches,
    folder: str,
    schema: pa.Schema,
    key: Sequence[str],
    rows_per_file: int,
) -> Iterator[pa.RecordBatch]:
    """Write rows with the columns of `schema`, and others, as files; yield a row of `FILE` each."""
    for rows in _portions(batches, rows_per_file):
        file = write_file(rows.select(schema.names).cast(schema), folder, key)
        yield pa.RecordBatch.from_pylist([asdict(file)], FILE)


def _portions(batches: Batches, most: int) -> Iterator[pa.Table]:
    gathered: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        gathered.append(batch)
        rows, size = rows + len(batch), size + batch.nbytes
        if rows >= most or size >= BYTES_PER_FILE:
            yield pa.Table.from_batches(gathered)
            gathered, rows, size = [], 0, 0
    if rows:
        yield pa.Table.from_batches(gathered)


def write_file(rows: pa.Table, folder: str, key: Sequence[str]) -> DataFile:
    """Write `rows`, which have the table's schema, as one file under a name of its own.

    The stats tell readers which values of `key` it may hold, so that they can skip it.
    """
    path = at(folder) / f"part-{uuid4()}.snappy.parquet"
    # Vectors hardly repeat a number: looking for repetitions costs time and saves no space.
    words = [field.name for field in rows.schema if pa.types.is_string(field.type)]
    with path.open("wb") as file:
        pq.write_table(rows, file, use_dictionary=words, row_group_size=ROWS_PER_GROUP)
        size = file.tell()
    return DataFile(path.name, size, json.dumps(_stats(rows, key)))


def _stats(rows: pa.Table, key: Sequence[str]) -> dict[str, object]:
    ranges = {name: pc.min_max(rows[name]).as_py() for name in key}
    return {
        "numRecords": rows.num_rows,
        "minValues": {name: found["min"] for name, found in ranges.items()},
        "maxValues": {name: found["max"] for name, found in ranges.items()},
        "nullCount": {name: rows[name].null_count for name in key},
    }
