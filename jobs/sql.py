"""Run SQL over the tables and views, each under its own name: one query, or a shell without one."""

import argparse
import sys
from pathlib import Path

from fashionrec.cli import Context, run_job
from fashionrec.engines import DUCKDB, ENGINES, engine
from fashionrec.errors import UsageError
from fashionrec.results import FORMATS, format_of, save, write
from fashionrec.shell import queries, run_shell, statements
from fashionrec.snapshot import Snapshot


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this job alone."""
    parser.add_argument(
        "query",
        metavar="QUERY",
        nargs="?",
        help='such as "SELECT count(*) FROM products"; left out: a shell, or statements from stdin',
    )
    parser.add_argument(
        "--format", choices=FORMATS, help="left out: table, or what the name of the FILE ends with"
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="instead of stdout")
    parser.add_argument("--as-of", metavar="RUN", help="the tables as this run left them")
    parser.add_argument(
        "--engine", choices=ENGINES, default=DUCKDB, help="spark: Spark SQL, and its seconds"
    )


def main(context: Context) -> None:
    """Query the warehouse."""
    options = context.options
    if options.output and options.query is None:
        raise UsageError("--output takes the result of one QUERY: give it as well")
    form = format_of(options.format, options.output)
    alone = options.output is not None
    asked = None if options.query is None else queries(options.query, alone=alone)
    query = engine(options.engine, Snapshot(context.warehouse, options.as_of))

    def run(statement: str) -> None:
        if options.output:
            save(query(statement), form, options.output)
        else:
            write(query(statement), form, sys.stdout, statement)

    if asked is None and sys.stdin.isatty():
        run_shell(run)
    else:
        for statement in asked or statements(sys.stdin):
            run(statement)


if __name__ == "__main__":
    run_job(__doc__, main, add_options)
