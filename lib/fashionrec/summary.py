"""What nightly prints at its end: figures, an example, and what to try next."""

from pathlib import Path

import pyarrow.dataset as ds
from duckdb import DuckDBPyConnection

from fashionrec import duck
from fashionrec.lookup import format_neighbours, lookup
from fashionrec.runs import Run
from fashionrec.store import Store
from fashionrec.tables import RECOMMENDATIONS, REJECTS, VIOLATIONS, Row


def print_summary(store: Store, run: Run, catalogue: Path) -> None:
    """Print the night to stdout."""
    print(f"\n{_headline(run)} (run {run.run_id})\n")
    with duck.questions(store, REJECTS, VIOLATIONS, RECOMMENDATIONS) as tables:
        for label, text in _figures(store, tables, run, catalogue):
            print(f"  {label:<16}{text}")
        example = _example(store, tables)
    if example:
        product_id = example[0]["product_id"]
        print(f"\n{format_neighbours(example)}\n\nTry next:")
        for command in (f"lookup {product_id}", f'sql "{_QUERY}"', "nightly --catalogue FOLDER"):
            print(f"  ./spark-submit.sh {command}")


# Twenty lines of reasons at most.
_OF_REJECTS = """
    SELECT source, reason, count(*) AS n FROM rejects
    GROUP BY ALL ORDER BY n DESC, source, reason LIMIT 20
"""
_OF_VIOLATIONS = """
    SELECT expectation, count(*) AS n FROM violations GROUP BY ALL ORDER BY n DESC, expectation
"""
_LOWEST = "SELECT min(product_id) FROM recommendations WHERE rank = 1"
_QUERY = "SELECT source, reason, count(*) AS n FROM rejects GROUP BY ALL ORDER BY n DESC"


def _headline(run: Run) -> str:
    changed = sum(n for name, n in run.counts.items() if name.endswith(("_changed", ".written")))
    return "The night is done" if changed else "The night is done: nothing had changed"


def _figures(
    store: Store, tables: DuckDBPyConnection, run: Run, catalogue: Path
) -> list[tuple[str, str]]:
    counts, seconds = run.counts, run.seconds
    speed = ""
    if "embed.compute" in seconds:
        computed = counts["embed.written"] - counts["embed.copied"]
        speed = f", {computed / seconds['embed.compute']:,.0f} images/s with start-up"
    steps = ("ingest", "embed", "neighbours", "publish")
    times = ", ".join(f"{step} {seconds[step]:.1f}" for step in steps)
    lines = [
        ("catalogue", str(catalogue)),
        ("products", f"{counts['ingest.products']:,} of {counts['ingest.lines']:,} lines"),
        ("images", f"{counts['ingest.images']:,} of {counts['ingest.image_entries']:,} entries"),
        (
            "embeddings",
            f"{counts['embed.written']:,} written, {counts['embed.kept']:,} kept{speed}",
        ),
        (
            "neighbours",
            f"{_lists(store):,} lists, {counts['neighbours.rows_changed']:,} rows changed",
        ),
        ("recommendations", f"{counts['publish.rows_changed']:,} rows changed"),
        ("seconds", f"{times}, all {sum(seconds[step] for step in steps):.1f}"),
        ("tables", store.warehouse),
    ]
    return (
        lines[:3]
        + _rejects(tables)
        + _violations(tables)
        + lines[3:]
        + [("warning", each) for each in run.warnings]
    )


def _lists(store: Store) -> int:
    return store.count(RECOMMENDATIONS, ds.field("rank") == 1)


def _rejects(tables: DuckDBPyConnection) -> list[tuple[str, str]]:
    """Return a line per reason, the commonest first, and in the order of names."""
    reasons = tables.execute(_OF_REJECTS).fetchall()
    lines = [f"{count:>4} {source}: {reason}" for source, reason, count in reasons]
    return _under("rejects", lines or ["none"])


def _violations(tables: DuckDBPyConnection) -> list[tuple[str, str]]:
    """Return a line per expectation that products fail, the one that most fail first."""
    failed = tables.execute(_OF_VIOLATIONS).fetchall()
    return _under("violations", [f"{count:>4} {name}" for name, count in failed])


def _under(label: str, lines: list[str]) -> list[tuple[str, str]]:
    return [(label if i == 0 else "", line) for i, line in enumerate(lines)]


def _example(store: Store, tables: DuckDBPyConnection) -> list[Row] | None:
    """Return the list of the product with the lowest id that has one."""
    ((lowest,),) = tables.execute(_LOWEST).fetchall()
    return None if lowest is None else lookup(store.warehouse, lowest)
