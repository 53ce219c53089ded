"""Print the lists that have changed since a run as lines of JSON, for caches and the like."""

import argparse
import json
from collections import Counter

from fashionrec.cli import Context, run_job
from fashionrec.feed import changes_since


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this job alone."""
    parser.add_argument(
        "--since", metavar="RUN", help="left out: every list that there is, as added"
    )


def main(context: Context) -> None:
    """Print a line per list, and at last the run to ask from the next time."""
    run_id, changes = changes_since(context.warehouse, context.options.since)
    counts: Counter[str] = Counter(added=0, changed=0, removed=0)
    for change in changes:
        counts[change["change"]] += 1
        print(json.dumps(change, ensure_ascii=False))
    print(json.dumps({"run_id": run_id, **counts}))


if __name__ == "__main__":
    run_job(__doc__, main, add_options)
