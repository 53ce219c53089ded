"""Print a product's published neighbours, best first."""

import argparse

from fashionrec.cli import Context, run_job
from fashionrec.lookup import format_neighbours, lookup


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this job alone."""
    parser.add_argument("product_id", type=int, metavar="PRODUCT_ID")


def main(context: Context) -> None:
    """Look one product up."""
    print(format_neighbours(lookup(context.warehouse, context.options.product_id)))


if __name__ == "__main__":
    run_job(__doc__, main, add_options)
