"""Draw the sample catalogue: styles.csv, images/, styles/ and images.csv, with their faults."""

import argparse
from pathlib import Path

from fashionrec.cli import Context, run_job
from fashionrec.errors import UsageError
from fashionrec.sample import draw_catalogue


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this job alone."""
    parser.add_argument("--folder", type=Path, help="new folder to draw into")
    parser.add_argument("--products", type=int, help="how many products, 60 or more")
    parser.add_argument("--seed", type=int, help="another seed draws another catalogue")


def main(context: Context) -> None:
    """Draw, and print what was drawn."""
    settings, options = context.config.sample, context.options
    folder = options.folder or context.sample
    try:
        counts = draw_catalogue(
            folder,
            products=options.products or settings.products,
            seed=settings.seed if options.seed is None else options.seed,
        )
    except ValueError as error:
        raise UsageError(str(error)) from error
    print(folder)
    for what, count in counts.items():
        print(f"  {count:>6,} {what.replace('_', ' ')}")


if __name__ == "__main__":
    run_job(__doc__, main, add_options)
