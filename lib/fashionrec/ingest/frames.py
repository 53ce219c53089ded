"""The readers of this package lifted into DataFrames: one row per line, one row per file."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema

from fashionrec.datafiles import Batches
from fashionrec.ingest.csv_lines import Header, LineRange, line_ranges
from fashionrec.ingest.entries import Entry
from fashionrec.ingest.examine import Finding, examine_entry
from fashionrec.ingest.listed import ENTRIES, as_batches
from fashionrec.ingest.pictures import Limits
from fashionrec.ingest.styles import COLUMNS, Record, read_records
from fashionrec.paths import escape, read_each
from fashionrec.tables import PRODUCTS

_STYLES = {c.name: c.type for c in PRODUCTS.columns if c.name in COLUMNS.values()}
_LINES = (
    "line BIGINT, raw STRING, reason STRING, "
    "cells ARRAY<STRUCT<column: STRING, raw: STRING, reason: STRING>>, "
    + ", ".join(f"{name} {kind}" for name, kind in _STYLES.items())
)
_RANGES = "offset BIGINT, length BIGINT, line BIGINT"
_ENTRY_FIELDS = [field.name for field in fields(Entry)]
FINDINGS = "path STRING, sha256 STRING, problem STRING, facts MAP<STRING,STRING>"
_TASKS_PER_CORE = 4  # a core that meets large pictures leaves the rest to the others


def lines_of(
    spark: SparkSession, styles: Path, header: Header, null_values: Sequence[str]
) -> DataFrame:
    """Return every line of styles.csv but its header; `reason` is null where it is a product."""

    def read(lines: LineRange) -> Iterator[dict[str, Any]]:
        return map(_line_row, read_records(styles, header, lines, null_values))

    return read_lines(spark, styles, read, _LINES)


def read_lines(
    spark: SparkSession, path: Path, read: Callable[[LineRange], Iterator[dict[str, Any]]], ddl: str
) -> DataFrame:
    """Return the rows that `read` makes of each range of a file's lines."""
    ranges = [tuple(asdict(lines).values()) for lines in line_ranges(path)]
    schema = arrow_schema(spark, ddl)

    def read_all(batches: Batches) -> Iterator[pa.RecordBatch]:
        for row in rows_of(batches):
            yield from as_batches(read(LineRange(**row)), schema)

    frame = spark.createDataFrame(ranges, _RANGES).repartition(max(1, len(ranges)))
    return frame.mapInArrow(read_all, ddl)


def entries_of(spark: SparkSession, file: str) -> DataFrame:
    """Return the entries of a file that `listed.listed` wrote."""
    return spark.read.schema(from_arrow_schema(ENTRIES)).parquet(escape(file))


def examined(entries: DataFrame, folder: Path, limits: Limits) -> DataFrame:
    """Read, hash and decode each entry: path, sha256, problem, facts."""
    schema = arrow_schema(entries.sparkSession, FINDINGS)

    def read_one(entry: Entry) -> Finding:
        return examine_entry(folder, entry, limits)

    def examine(batches: Batches) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            found = read_each(folder, read_one, _entries(batch))
            columns = (
                batch["path"].to_pylist(),
                [finding.sha256 for finding in found],
                [finding.problem for finding in found],
                [list(finding.facts.items()) for finding in found],
            )
            arrays = map(pa.array, columns, schema.types)
            yield pa.RecordBatch.from_arrays(list(arrays), schema=schema)

    tasks = _TASKS_PER_CORE * entries.sparkSession.sparkContext.defaultParallelism
    return entries.repartition(tasks, "path").mapInArrow(examine, FINDINGS)


def rows_of(batches: Batches) -> Iterator[dict[str, Any]]:
    """Return the rows of the batches."""
    for batch in batches:
        yield from batch.to_pylist()


def _entries(batch: pa.RecordBatch) -> Iterator[Entry]:
    return map(Entry, *(batch[name].to_pylist() for name in _ENTRY_FIELDS))


def as_entry(row: dict[str, Any]) -> Entry:
    """Return the entry that a row of `entries_of` holds."""
    return Entry(*(row[name] for name in _ENTRY_FIELDS))


def arrow_schema(spark: SparkSession, ddl: str) -> pa.Schema:
    """Return a schema of Spark SQL as Arrow's."""
    return to_arrow_schema(spark.createDataFrame([], ddl).schema)


def _line_row(record: Record) -> dict[str, Any]:
    cells = [vars(cell) for cell in record.cells]
    row = {"line": record.line, "raw": record.raw, "reason": record.reason, "cells": cells}
    return row | record.values
