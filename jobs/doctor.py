"""Check an environment before a night is lost to it: each finding with what to do."""

import argparse

from fashionrec.cli import Context, run_job
from fashionrec.doctor.doctor import doctor
from fashionrec.doctor.finding import as_record, formatted
from fashionrec.errors import FashionrecError


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this job alone."""
    parser.add_argument(
        "--json", action="store_true", help="print the findings as one line of JSON, and no more"
    )


def main(context: Context) -> None:
    """Look at everything, print what was found, and fail where a night would."""
    findings = doctor(context)
    wrong = [name for name, finding in findings.items() if finding.status == "fail"]
    message = f"{len(wrong)} of {len(findings)} checks fail: {', '.join(wrong)}" if wrong else None
    context.outcome.record |= as_record(findings) | {"message": message}
    if not context.options.json:
        print(formatted(findings), flush=True)
    if message:
        raise FashionrecError(message)


if __name__ == "__main__":
    run_job(__doc__, main, add_options)
