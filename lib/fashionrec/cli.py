"""What every job shares: options, settings, logs, and one line instead of a stack trace."""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fashionrec import config, logs
from fashionrec.config import Config
from fashionrec.errors import FashionrecError, chain, one_line
from fashionrec.outcome import Outcome
from fashionrec.paths import absolute

log = logging.getLogger(__name__)

Options = argparse.Namespace


@dataclass(frozen=True)
class Context:
    """A job's settings and options, where its catalogue and warehouse are, and how it ended."""

    config: Config
    options: Options
    outcome: Outcome

    @property
    def catalogue(self) -> Path | None:
        """The catalogue's folder; None: the sample catalogue."""
        return config.resolve(self.config.catalogue) if self.config.catalogue else None

    @property
    def warehouse(self) -> Path:
        """The folder of the tables."""
        return config.resolve(self.config.warehouse)

    @property
    def sample(self) -> Path:
        """The folder of the sample catalogue."""
        return config.resolve(self.config.sample.folder)

    @property
    def run_options(self) -> dict[str, Any]:
        """What a run that writes to the warehouse is recorded and locked with."""
        run_id, ended = self.options.run_id, self.outcome.ended
        return {"run_id": run_id, "lock": self.config.lock, "ended": ended}


def run_job(
    description: str | None,
    job: Callable[[Context], None],
    add_options: Callable[[argparse.ArgumentParser], None] = lambda _: None,
) -> None:
    """Parse the command line, run the job, and leave with the exit status that README.md lists."""
    parser = _parser(description)
    add_options(parser)
    options = parser.parse_args()
    logs.log_to_stderr_and_file(options.log_format)
    # A scheduler that gives up on a run ends it as Ctrl-C does: with its record, and its lock gone.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    outcome = Outcome(_name(), options.run_id)
    status = 0
    try:
        settings = _settings(options)
        if options.is_run and not options.dry_run:
            outcome.notify = settings.notify
        job(Context(settings, options, outcome))
    except BrokenPipeError:  # the reader of our output went away: | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (Exception, KeyboardInterrupt) as error:
        status = _fail(outcome, error)
    if options.json:
        print(outcome.as_json(), flush=True)
    if status:
        sys.exit(status)


def _fail(outcome: Outcome, error: BaseException) -> int:
    """Say in one line why a job ends, and return its exit status."""
    log.debug("stopped", exc_info=error)
    if isinstance(error, FashionrecError):
        message, run_status, exit_status = str(error), error.run_status, error.exit_status
    elif any(isinstance(each, KeyboardInterrupt) for each in chain(error)):
        message, run_status, exit_status = "interrupted", "failed", 130
    else:  # a defect, or Spark's: the trace is for the file
        message = f"{one_line(error)} (stack trace: {logs.log_file()})"
        run_status, exit_status = "failed", 1
    log.error("%s", message)
    outcome.failed(run_status, message)
    return exit_status


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the jobs that write to the warehouse."""
    parser.set_defaults(is_run=True)
    parser.add_argument("--run-id", help="name of the run; given again, it is the same run")
    parser.add_argument(
        "--json",
        action="store_true",
        help="print the run's record as one line of JSON, and no more",
    )


def add_step_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the steps of a night."""
    add_run_options(parser)
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be done and how much; write nothing"
    )


def add_ingest_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the jobs that ingest."""
    add_step_options(parser)
    parser.add_argument("--verify", action="store_true", help="read every file, changed or not")
    add_removal_option(parser)


def add_removal_option(parser: argparse.ArgumentParser) -> None:
    """Add the option of the jobs that refuse a catalogue which lost too much."""
    parser.add_argument(
        "--allow-removal",
        action="store_true",
        help="go on though a larger share of the products is gone than settings allow",
    )


def _parser(description: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"./spark-submit.sh {_name()}", description=description, allow_abbrev=False
    )
    parser.set_defaults(is_run=False, dry_run=False, run_id=None, json=False)
    parser.add_argument("--config", action="append", default=[], type=Path, metavar="FILE")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    parser.add_argument("--catalogue", metavar="PATH", help="folder with styles.csv and images")
    parser.add_argument("--warehouse", metavar="PATH", help="folder of the Delta tables")
    parser.add_argument(
        "--log-format", choices=logs.FORMATS, default=logs.TEXT, help="of the lines on stderr"
    )
    return parser


def _name() -> str:
    return Path(sys.argv[0]).stem.replace("_", "-")


def _settings(options: Options) -> Config:
    settings = config.load(options.config, options.overrides)
    # Paths on the command line are below the current folder, as in any shell command.
    given = {
        name: absolute(value)
        for name in ("catalogue", "warehouse")
        if (value := getattr(options, name))
    }
    return settings.model_copy(update=given)
