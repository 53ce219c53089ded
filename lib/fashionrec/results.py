"""Writing the result of a query: as a table to read, as CSV, as lines of JSON, or as Parquet."""

import csv
import logging
import os
import re
from collections import Counter
from itertools import islice, zip_longest
from pathlib import Path
from typing import TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from fashionrec.errors import FashionrecError, UsageError, printable
from fashionrec.values import as_json, as_text, flat, rows

log = logging.getLogger(__name__)

TABLE, CSV, JSON, PARQUET = FORMATS = ("table", "csv", "json", "parquet")

_OF_FILES = (CSV, JSON, PARQUET)
_MOST_ROWS, _MOST_CHARACTERS = 1_000, 60  # of a table that a person reads
_HUGE = pa.decimal128(38, 0)  # what Arrow has of DuckDB's HUGEINT
_EXPLAINS = re.compile(r"\s*(DESC|DESCRIBE|EXPLAIN|SHOW|SUMMARIZE)\b", re.IGNORECASE)


def format_of(given: str | None, path: Path | None) -> str:
    """Return the format that is asked for; where none is given, the one that a file's name tells.

    Raises:
        UsageError: the file has no name or no such format, or Parquet has no file.
    """
    if path is None:
        if given == PARQUET:
            raise UsageError("--format parquet needs a file: give it with --output")
        return given or TABLE
    if not path.name:
        raise UsageError("--output needs the name of a file")
    form = given or path.suffix.removeprefix(".").lower()
    if form not in _OF_FILES:
        raise UsageError(
            f"{path}: a file is csv, json or parquet: end its name so, or give --format"
        )
    return form


def save(result: pa.RecordBatchReader, form: str, path: Path) -> None:
    """Write a result to a file in one of `FORMATS`: whole, or not at all.

    Raises:
        FashionrecError: the file cannot be written.
    """
    if not result.schema.names:
        raise FashionrecError(f"{path}: is not written: the statement has no result")
    partial = path.with_name(f".{path.name}.partial")
    try:
        if form == PARQUET:
            _write_parquet(result, partial)
        else:
            with partial.open("w", encoding="utf-8", newline="") as file:
                write(result, form, file)
        os.replace(partial, path)
    except pa.ArrowException as error:  # a type or a number that Parquet has not
        reason = f"{path}: cannot be written: {error}: CAST the column AS VARCHAR"
        raise FashionrecError(reason) from error
    except OSError as error:
        raise FashionrecError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)


def write(result: pa.RecordBatchReader, form: str, out: TextIO, statement: str = "") -> None:
    """Write a statement's result as text.

    Raises:
        FashionrecError: JSON would lose a column whose name another one has.
    """
    if not result.schema.names:  # a statement that has no result
        return
    if form == TABLE:
        _write_table(result, out, whole=_EXPLAINS.match(statement) is not None)
    elif form == CSV:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(result.schema.names)
        writer.writerows(map(flat, row) for row in rows(result))
    else:
        names = _names_apart(result.schema)
        for row in rows(result):
            out.write(as_json(dict(zip(names, row, strict=True))) + "\n")


def _write_parquet(result: pa.RecordBatchReader, path: Path) -> None:
    _names_apart(result.schema)
    # What DuckDB sums of whole numbers would be decimals, which few programs take for numbers.
    kinds = [pa.int64() if kind == _HUGE else kind for kind in result.schema.types]
    schema = pa.schema(zip(result.schema.names, kinds, strict=True))
    with pq.ParquetWriter(path, schema) as writer:
        for batch in result:
            writer.write_table(pa.Table.from_batches([batch]).cast(schema))


def _names_apart(schema: pa.Schema) -> list[str]:
    twice = [name for name, count in Counter(schema.names).items() if count > 1]
    if twice:
        raise FashionrecError(f"columns share the name {', '.join(twice)}: name them apart by AS")
    return list(schema.names)


def _write_table(result: pa.RecordBatchReader, out: TextIO, *, whole: bool) -> None:
    """Write what a person reads: the beginning, unless it explains something, and say so."""
    found = rows(result)
    texts = [
        ["NULL" if value is None else as_text(value) for value in row]
        for row in islice(found, _MOST_ROWS)
    ]
    if whole:
        lines = [line for row in texts for line in zip_longest(*map(_lines, row), fillvalue="")]
        is_cut = False
    else:
        lines = [tuple(_cut(text) for text in row) for row in texts]
        is_cut = any(len(printable(text)) > _MOST_CHARACTERS for row in texts for text in row)
    out.write(_table(result.schema, lines))
    if not texts:
        log.info("no rows")
    told = [f"cells are cut at {_MOST_CHARACTERS} characters"] if is_cut else []
    if next(found, None) is not None:
        told.append(f"only the first {_MOST_ROWS:,} rows are shown")
    if told:
        log.warning("%s: --format csv has them whole", ", ".join(told))


def _table(schema: pa.Schema, lines: list[tuple[str, ...]]) -> str:
    names = tuple(_cut(name) for name in schema.names)
    widths = [max(map(len, column)) for column in zip(names, *lines, strict=True)]
    right = [_is_number(field.type) for field in schema]

    def line(cells: tuple[str, ...]) -> str:
        padded = (
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(cells, widths, right, strict=True)
        )
        return f"|{'|'.join(padded)}|"

    rule = f"+{'+'.join('-' * width for width in widths)}+"
    return "\n".join([rule, line(names), rule, *map(line, lines), rule]) + "\n"


def _cut(text: str) -> str:
    line = printable(text)
    return line if len(line) <= _MOST_CHARACTERS else f"{line[: _MOST_CHARACTERS - 3]}..."


def _lines(text: str) -> list[str]:
    """Return the lines of a text that explains something; a query's plan is drawn in several."""
    return [
        " " * (len(line) - len(line.lstrip(" "))) + printable(line) for line in text.split("\n")
    ]


def _is_number(kind: pa.DataType) -> bool:
    is_kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    return any(is_kind(kind) for is_kind in is_kinds)
