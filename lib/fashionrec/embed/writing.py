"""Embeddings go to files from the very workers that compute them: Java would take far longer."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import from_arrow_schema

from fashionrec.datafiles import FILE, Batches, DataFile, write_file
from fashionrec.embed.frames import Contents, Sent, contents_of_rows, encoding
from fashionrec.tables import EMBEDDINGS

# One row per file; its path is null where all of its pictures failed.
_WRITTEN = pa.schema([*FILE, pa.field("failed", pa.int64()), pa.field("problem", pa.string())])
# A task is one file, unless its pictures are so many that their vectors fill the memory.
_BATCHES_PER_FILE = 16


@dataclass(frozen=True)
class Target:
    """Where rows go, with the table's Arrow schema, and what they say of their model."""

    folder: str
    schema: pa.Schema
    model_version: str
    threshold: float | None


@dataclass(frozen=True)
class Written:
    """Files to commit, how many pictures failed, and what was wrong with one of them."""

    files: list[DataFile]
    failed: int
    problem: str | None


def written(
    pictures: DataFrame,
    sent: Sent,
    target: Target,
    contents: Callable[[Batches], Contents] = contents_of_rows,
) -> Written:
    """Encode the pictures of rows, which `contents` takes from them, into files of `target`.

    Only files of attempts that succeeded are returned, each picture in one of them or failed.
    """
    encode = encoding(pictures.sparkSession, sent, contents)
    write = partial(_write_batches, encode=encode, target=target)
    rows = pictures.mapInArrow(write, from_arrow_schema(_WRITTEN)).collect()
    return Written(
        [DataFile(row.path, row.size, row.stats) for row in rows if row.path],
        sum(row.failed for row in rows),
        next((row.problem for row in rows if row.problem), None),
    )


def _write_batches(
    batches: Batches, encode: Callable[[Batches], Iterator[pa.RecordBatch]], target: Target
) -> Iterator[pa.RecordBatch]:
    results = encode(batches)
    while portion := list(islice(results, _BATCHES_PER_FILE)):
        row = _write(pa.Table.from_batches(portion), target)
        yield pa.RecordBatch.from_pylist([row], _WRITTEN)


def _write(results: pa.Table, target: Target) -> dict[str, Any]:
    """Write the results that are no problems; return a row of `_WRITTEN`."""
    problems = results["problem"].drop_null().to_pylist()
    row = {"failed": len(problems), "problem": next(iter(problems), None)}
    if len(problems) == results.num_rows:
        return row
    rows = _as_embeddings(results.filter(pc.field("problem").is_null()), target)
    return row | asdict(write_file(rows, target.folder, EMBEDDINGS.key))


def _as_embeddings(results: pa.Table, target: Target) -> pa.Table:
    threshold = pa.scalar(target.threshold, pa.float32())
    columns = dict(zip(results.column_names, results.columns, strict=True)) | {
        "model_version": pa.repeat(target.model_version, results.num_rows),
        "predicted_accepted": pc.greater_equal(results["predicted_probability"], threshold),
    }
    return pa.table([columns[name] for name in target.schema.names], target.schema)
