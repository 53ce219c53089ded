"""Run a SQL query over the tables, each under its own name, and print the result."""

import argparse
import csv
import sys

from fashionrec.cli import Context, run_job
from fashionrec.session import spark_session
from fashionrec.sql import query
from fashionrec.store import Store


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this job alone."""
    parser.add_argument("query", metavar="QUERY", help='such as "SELECT count(*) FROM products"')
    parser.add_argument("--format", choices=["table", "csv"], default="table")


def main(context: Context) -> None:
    """Query the warehouse."""
    result = query(Store(spark_session("sql"), context.warehouse), context.options.query)
    if context.options.format == "table":
        result.show(n=1_000, truncate=60)
        return
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(result.columns)
    for row in result.toLocalIterator():
        writer.writerow(row)


if __name__ == "__main__":
    run_job(__doc__, main, add_options)
