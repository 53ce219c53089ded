"""Run SQL over the tables and views, each under its own name: one query, or a shell without one."""

import argparse
import sys
from pathlib import Path

from fashionrec.cli import Context, run_job
from fashionrec.engines import DUCKDB, ENGINES, engine
from fashionrec.errors import UsageError
from fashionrec.results import FORMATS, PARQUET, save, write
from fashionrec.shell import run_script, run_shell
from fashionrec.snapshot import Snapshot


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this job alone."""
    parser.add_argument(
        "query",
        metavar="QUERY",
        nargs="?",
        help='such as "SELECT count(*) FROM products"; left out: a shell, or statements from stdin',
    )
    parser.add_argument("--format", choices=FORMATS, default="table")
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
    if options.format == PARQUET and not options.output:
        raise UsageError("--format parquet needs a file: give it with --output")
    query = engine(options.engine, Snapshot(context.warehouse, options.as_of))

    def run(statement: str) -> None:
        if options.output:
            save(query(statement), options.format, options.output)
        else:
            write(query(statement), options.format, sys.stdout)

    if options.query is not None:
        run_script(iter([options.query]), run)
    elif sys.stdin.isatty():
        run_shell(run)
    else:
        run_script(sys.stdin, run)


if __name__ == "__main__":
    run_job(__doc__, main, add_options)
