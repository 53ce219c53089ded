"""The views over the tables: a SQL text each, the same for every engine.

A file begins with comments: what a row is, then a line per column with its name and meaning.
"""

from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True)
class View:
    """A view: its comment, the comment of each column in order, and the query."""

    name: str
    comment: str
    columns: dict[str, str]
    query: str


def _parse(name: str, text: str) -> View:
    """Read a view's file."""
    lines = text.splitlines(keepends=True)
    head = [line[3:].rstrip() for line in lines if line.startswith("-- ")]
    columns = dict(line.split(maxsplit=1) for line in head if line.startswith("  "))
    return View(
        name,
        comment=" ".join(line for line in head if not line.startswith("  ")),
        columns=columns,
        query="".join(line for line in lines if not line.startswith("-- ")).strip(),
    )


def _all() -> tuple[View, ...]:
    texts = (path for path in files(__name__).iterdir() if path.name.endswith(".sql"))
    paths = sorted(texts, key=lambda path: path.name)
    found = [_parse(path.name.removesuffix(".sql"), path.read_text()) for path in paths]
    # The others read it.
    return tuple(sorted(found, key=lambda view: view.name != "predictions"))


ALL = _all()
