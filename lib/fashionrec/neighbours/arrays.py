"""Dataclasses of arrays, and tables, as files that processes map: memory holds them once."""

import json
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import numpy as np
import pyarrow as pa

Kind = TypeVar("Kind")

REST = "rest.json"  # the last to be written


def save(folder: Path, value: Any) -> None:
    """Write a dataclass into a new folder: a file per array, a folder per dataclass in it, and one
    file for what else it has, which must be what JSON can hold."""
    folder.mkdir()
    rest = {}
    for name, part in vars(value).items():
        if is_dataclass(part):
            save(folder / name, part)
        elif isinstance(part, np.ndarray):
            np.save(folder / f"{name}.npy", part)
        else:
            rest[name] = part
    (folder / REST).write_text(json.dumps(rest))


def load(kind: type[Kind], folder: Path) -> Kind:
    """Return what `save` wrote, its arrays mapped and not to be written to."""
    kinds, parts = get_type_hints(kind), json.loads((folder / REST).read_text())
    for path in folder.iterdir():
        if path.is_dir():
            parts[path.name] = load(kinds[path.name], path)
        elif path.suffix == ".npy":
            parts[path.stem] = np.load(path, mmap_mode="r").view(np.ndarray)
    return kind(**parts)


def save_table(file: Path, rows: pa.Table) -> None:
    """Write a table as a file to be mapped."""
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, rows.schema) as writer:
        writer.write_table(rows)


def load_table(file: Path) -> pa.Table:
    """Return what `save_table` wrote, mapped."""
    return pa.ipc.open_file(pa.memory_map(str(file))).read_all()
