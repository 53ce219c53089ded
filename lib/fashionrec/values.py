"""The rows of a result as Python values that JSON, CSV and tables can show."""

import json
import math
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


def rows(result: pa.RecordBatchReader) -> Iterator[list[Any]]:
    """Yield the rows of a result: whole numbers as int, maps as dict, bytes in hexadecimal."""
    for batch in result:
        yield from map(list, zip(*map(_values, batch.columns), strict=True))


def as_json(value: Any) -> str:
    """Return a value as JSON, which has no NaN and no infinity: they are null."""
    try:
        return _dumped(value)
    except ValueError:
        return _dumped(_finite(value))


def as_text(value: Any) -> str:
    """Return a value as text: nested ones, and true and false, as JSON has them."""
    return str(flat(value))


def flat(value: Any) -> Any:
    """Return a value whose text is that of `as_text`; most stay as they are."""
    return as_json(value) if isinstance(value, _NO_CELLS) else value


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_number_or_text)


def _number_or_text(value: Any) -> float | str:
    return float(value) if isinstance(value, Decimal) else str(value)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _values(column: pa.Array) -> list[Any]:
    kind = column.type
    if pa.types.is_float32(kind):  # 0.98, and not the double that is nearest to its float
        texts = column.cast(pa.string()).to_pylist()
        return [None if text is None else float(text) for text in texts]
    if pa.types.is_map(kind):
        return _maps(column)
    if any(is_kind(kind) for is_kind in _ARE_LISTS):
        return _lists(column)
    if pa.types.is_struct(kind):
        return _structs(column)
    values: list[Any] = column.to_pylist()
    make = next((make for is_kind, make in _MADE if is_kind(kind)), None)
    return [None if v is None else make(v) for v in values] if make else values


def _lists(column: pa.Array) -> list[Any]:
    values = iter(_values(column.flatten()))
    lengths = pc.list_value_length(column).to_pylist()
    return [None if length is None else list(islice(values, length)) for length in lengths]


def _structs(column: pa.Array) -> list[Any]:
    names = [field.name for field in column.type]
    each = zip(*map(_values, column.flatten()), strict=True)
    there = column.is_valid().to_pylist()
    return [
        dict(zip(names, row, strict=True)) if is_there else None
        for row, is_there in zip(each, there, strict=True)
    ]


def _maps(column: pa.Array) -> list[Any]:
    entry = pa.struct([("key", column.type.key_type), ("value", column.type.item_type)])
    found = _lists(column.cast(pa.list_(entry)))
    return [
        None if entries is None else {as_text(each["key"]): each["value"] for each in entries}
        for entries in found
    ]


def _is_whole(kind: pa.DataType) -> bool:
    """Say whether a type holds whole numbers: DuckDB's sums of them are decimals in Arrow."""
    return bool(pa.types.is_decimal(kind) and kind.scale == 0)


def _interval(value: Any) -> str:
    """Return an interval as SQL reads it."""
    seconds = f"{value.nanoseconds / 1e9:.9f}".rstrip("0").rstrip(".")
    return f"{value.months} months {value.days} days {seconds} seconds"


_NO_CELLS = (bool, list, dict)
_ARE_LISTS = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
_MADE = (
    (_is_whole, int),
    (pa.types.is_interval, _interval),
    (pa.types.is_binary, bytes.hex),
    (pa.types.is_large_binary, bytes.hex),
)
