"""Reading styles/ID.json, what a catalogue says of a product beyond its line: pure Python."""

import json
import math
import re
from typing import Any

from fashionrec.ingest.pictures import UnusableError
from fashionrec.tables import DETAILS

UNREADABLE = "unreadable "  # prefix of the fact that keeps a value which could not be read

# What Spark casts to a DOUBLE; Python's float() takes much more.
_NUMBER = re.compile(r"-?[0-9]{1,300}(\.[0-9]+)?(e[+-]?[0-9]{1,3})?", re.ASCII | re.IGNORECASE)

# Our column, and the path to its value in the file.
_PLACES = {
    "price": ("data", "price"),
    "discounted_price": ("data", "discountedPrice"),
    "brand": ("data", "brandName"),
    "age_group": ("data", "ageGroup"),
    "fashion_type": ("data", "fashionType"),
    "description": ("data", "productDescriptors", "description", "value"),
}


def examine_details(content: bytes) -> dict[str, str]:
    """Return the values that are there, as text, by our column names.

    Raises:
        UnusableError: not JSON, or not an object with "data".
    """
    try:
        document = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UnusableError("not JSON in UTF-8") from error
    if not isinstance(document, dict) or not isinstance(document.get("data"), dict):
        raise UnusableError('no object with "data"')
    facts: dict[str, str] = {}
    for column in DETAILS:
        value = _value_at(document, _PLACES[column.name])
        if value is not None and value != "":
            facts |= _as_fact(column.name, column.type, value)
    return facts


def _value_at(document: Any, place: tuple[str, ...]) -> Any:
    for name in place:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def _as_fact(name: str, kind: str, value: Any) -> dict[str, str]:
    # JSON can spell half a surrogate pair, which is no text.
    text = str(value).encode("utf-8", "replace").decode()
    readable = _is_number(text) if kind == "DOUBLE" else isinstance(value, str)
    return {name if readable else UNREADABLE + name: text}


def _is_number(text: str) -> bool:
    return bool(_NUMBER.fullmatch(text)) and math.isfinite(float(text))
