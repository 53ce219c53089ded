"""Tables made without Spark, which reading by DuckDB and delta-rs needs no part of."""

import os
import re
import sys
from pathlib import Path
from typing import Any

import deltalake
import duckdb
import pyarrow as pa

from conftest import ROOT
from fashionrec.tables import Table


def make(folder: Path, table: Table, *rows: dict[str, Any]) -> None:
    """Write rows into a new table, which leaves the other columns null."""
    # DuckDB has parentheses where Spark has angle brackets.
    kinds = {column.name: re.sub("<(.+)>", r"(\1)", column.type) for column in table.columns}
    columns = ", ".join(f'CAST(NULL AS {kind}) AS "{name}"' for name, kind in kinds.items())
    schema = duckdb.sql(f"SELECT {columns}").to_arrow_table().schema
    made = pa.Table.from_pylist([dict.fromkeys(table.names) | row for row in rows], schema)
    deltalake.write_deltalake(str(folder / table.name), made)


def command(warehouse: Path, *options: str) -> list[str]:
    """Return what runs the job `sql` in a process of its own."""
    return [sys.executable, str(ROOT / "jobs" / "sql.py"), "--warehouse", str(warehouse), *options]


def read_until(controller: int, prompt: bytes) -> bytes:
    """Read what a terminal shows until its prompt, or its end."""
    shown = b""
    while not shown.endswith(prompt):
        try:
            shown += os.read(controller, 4096)
        except OSError:  # the terminal's other end is closed
            break
    return shown
