"""Writing the result of a query: as a table to read, as CSV, as lines of JSON, or as Parquet."""

import csv
import json
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from fashionrec.errors import FashionrecError, printable

TEXTS = ("table", "csv", "json")
PARQUET = "parquet"
FORMATS = (*TEXTS, PARQUET)

_MOST_ROWS, _MOST_CHARACTERS = 1_000, 60  # of a table that a person reads


def save(result: pa.RecordBatchReader, form: str, path: Path) -> None:
    """Write a result to a file in one of `FORMATS`: whole, or not at all.

    Raises:
        FashionrecError: the file cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        if form == PARQUET:
            with pq.ParquetWriter(partial, result.schema) as writer:
                for batch in result:
                    writer.write_batch(batch)
        else:
            with partial.open("w", encoding="utf-8", newline="") as file:
                write(result, form, file)
        os.replace(partial, path)
    except OSError as error:
        raise FashionrecError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)


def write(result: pa.RecordBatchReader, form: str, out: TextIO) -> None:
    """Write a result as text, in one of `TEXTS`."""
    rows = _rows(result)
    if not result.schema.names:  # a statement that has no result
        return
    if form == "table":
        out.write(_table(result.schema, rows))
    elif form == "csv":
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(result.schema.names)
        writer.writerows(rows)
    else:
        for row in rows:
            named = dict(zip(result.schema.names, row, strict=True))
            out.write(json.dumps(named, ensure_ascii=False, default=str) + "\n")


def _rows(result: pa.RecordBatchReader) -> Iterator[list[Any]]:
    for batch in result:
        columns = (_values(column) for column in batch.columns)
        yield from map(list, zip(*columns, strict=True))


def _values(column: pa.Array) -> list[Any]:
    if pa.types.is_float32(column.type):  # 0.98, and not the double that is nearest to its float
        texts = column.cast(pa.string()).to_pylist()
        return [None if text is None else float(text) for text in texts]
    values: list[Any] = column.to_pylist()
    if pa.types.is_map(column.type):  # Arrow gives pairs
        return [None if value is None else dict(value) for value in values]
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        return [None if value is None else value.hex() for value in values]
    return values


def _table(schema: pa.Schema, rows: Iterator[list[Any]]) -> str:
    shown = [[_cell(value) for value in row] for row in islice(rows, _MOST_ROWS)]
    names = [_cell(name) for name in schema.names]
    widths = [max(map(len, column)) for column in zip(names, *shown, strict=True)]
    right = [_is_number(field.type) for field in schema]

    def line(cells: list[str]) -> str:
        padded = (
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(cells, widths, right, strict=True)
        )
        return f"|{'|'.join(padded)}|"

    rule = f"+{'+'.join('-' * width for width in widths)}+"
    lines = [rule, line(names), rule, *map(line, shown), rule]
    if next(rows, None) is not None:
        lines.append(f"only the first {_MOST_ROWS:,} rows are shown: --format csv has them all")
    return "\n".join(lines) + "\n"


def _cell(value: Any) -> str:
    text = "NULL" if value is None else printable(str(value))
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 3]}..."


def _is_number(kind: pa.DataType) -> bool:
    is_kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    return any(is_kind(kind) for is_kind in is_kinds)
