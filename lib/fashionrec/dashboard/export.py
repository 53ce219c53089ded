"""A figure's data as CSV that no spreadsheet takes for formulas."""

import csv
import io
from typing import Any

import pandas as pd

# What begins a formula in Excel, LibreOffice or Google's sheets, blanks before it or not.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "＝", "＋", "－", "＠")


def as_csv(rows: pd.DataFrame) -> bytes:
    """Return the rows in UTF-8 with a byte order mark, which Excel needs to see that it is."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow([_cell(str(name)) for name in rows.columns])
    writer.writerows([_cell(value) for value in row] for row in rows.itertuples(index=False))
    return buffer.getvalue().encode("utf-8-sig", "replace")


def _cell(value: Any) -> Any:
    """Put an apostrophe before a text that would be run; numbers stay numbers."""
    if not isinstance(value, str):
        return "" if pd.isna(value) else value
    text = value.replace("\x00", "")
    return f"'{text}" if text.lstrip(" \xa0").startswith(_FORMULA) else text
