"""A catalogue compared with what the table `files` knows of it: by name, and without Spark."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from fashionrec.ingest.entries import CANNOT_READ, LINK, Entry
from fashionrec.ingest.links import known_entry
from fashionrec.read import TableReader
from fashionrec.tables import FILES

_COLUMNS = ["path", "kind", "size", "mtime", "checks", "problem"]


@dataclass(frozen=True)
class FileChanges:
    """Entries that are new, must be read again, or are gone."""

    new: list[Entry]
    changed: list[Entry]
    gone: list[str]

    @property
    def none(self) -> bool:
        """Say whether every entry is known as it is."""
        return not (self.new or self.changed or self.gone)


def compare_files(
    reader: TableReader, folder: Path, entries: Sequence[Entry], checks: dict[str, str]
) -> FileChanges:
    """Compare the entries, and the links that `files` knows, with the table.

    Which links are needed depends on the other files alone, so those that it knows still are.
    """
    known = reader.scan(FILES, _COLUMNS).to_table()
    times = known["mtime"].cast(pa.int64()).to_pylist()
    names = ("path", "kind", "size", "checks", "problem")
    paths, kinds, sizes, under, problems = (known[name].to_pylist() for name in names)
    facts = dict(zip(paths, zip(sizes, times, under, strict=True), strict=True))
    again = {p for p, problem in zip(paths, problems, strict=True) if _is_tried_again(problem)}
    links = [known_entry(folder, p) for p, kind in zip(paths, kinds, strict=True) if kind == LINK]
    new, changed = [], []
    for entry in (*entries, *links):
        if entry.path not in facts:
            new.append(entry)
        elif entry.path in again or facts[entry.path] != _facts(entry, checks):
            changed.append(entry)
    listed = {entry.path for entry in (*entries, *links)}
    return FileChanges(new, changed, [path for path in paths if path not in listed])


def _facts(entry: Entry, checks: dict[str, str]) -> tuple[int, int, str]:
    return entry.size, entry.mtime, checks[entry.kind]


def _is_tried_again(problem: str | None) -> bool:
    return problem is not None and problem.startswith(CANNOT_READ)
