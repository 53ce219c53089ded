"""What every job shares: options, settings, logs, and one line instead of a stack trace."""

import argparse
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from fashionrec import config
from fashionrec.config import Config
from fashionrec.errors import FashionrecError, one_line, printable

log = logging.getLogger(__name__)

Options = argparse.Namespace


@dataclass(frozen=True)
class Context:
    """A job's settings and options, and where its catalogue and warehouse are."""

    config: Config
    options: Options

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
        options = self.options
        return {"run_id": options.run_id, "as_json": options.json, "lock": self.config.lock}


def run_job(
    description: str | None,
    job: Callable[[Context], None],
    add_options: Callable[[argparse.ArgumentParser], None] = lambda _: None,
) -> None:
    """Parse the command line, run the job, and leave with the exit status that DESIGN.md lists."""
    parser = _parser(description)
    add_options(parser)
    options = parser.parse_args()
    _log_to_stderr_and_file()
    try:
        job(Context(_settings(options), options))
    except FashionrecError as error:
        log.debug("stopped", exc_info=True)
        _leave(str(error), error.exit_status)
    except KeyboardInterrupt:
        _leave("interrupted", 130)
    except BrokenPipeError:  # the reader of our output went away: | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:  # a defect, or Spark's: the trace is for the log
        log.debug("failed", exc_info=True)
        _leave(f"{one_line(error)} (stack trace: {_log_file()})", 1)


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the jobs that write to the warehouse."""
    parser.add_argument("--run-id", help="name of the run; given again, it is the same run")
    parser.add_argument(
        "--json",
        action="store_true",
        help="print the run's record as one line of JSON, and no more",
    )


def add_ingest_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the jobs that ingest."""
    add_run_options(parser)
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
    name = Path(sys.argv[0]).stem.replace("_", "-")
    parser = argparse.ArgumentParser(
        prog=f"./spark-submit.sh {name}", description=description, allow_abbrev=False
    )
    parser.add_argument("--config", action="append", default=[], type=Path, metavar="FILE")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    parser.add_argument("--catalogue", metavar="PATH", help="folder with styles.csv and images")
    parser.add_argument("--warehouse", metavar="PATH", help="folder of the Delta tables")
    return parser


def _settings(options: Options) -> Config:
    settings = config.load(options.config, options.overrides)
    # Paths on the command line are below the current folder, as in any shell command.
    given = {
        name: os.path.abspath(value)
        for name in ("catalogue", "warehouse")
        if (value := getattr(options, name))
    }
    return settings.model_copy(update=given)


def _log_to_stderr_and_file() -> None:
    """Show progress on stderr; keep everything, stack traces included, in a file."""
    screen = logging.StreamHandler(sys.stderr)
    screen.setLevel(logging.INFO)
    screen.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    _log_file().parent.mkdir(parents=True, exist_ok=True)
    file = RotatingFileHandler(
        _log_file(), maxBytes=20 << 20, backupCount=2, encoding="utf-8", errors="backslashreplace"
    )
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("fashionrec")
    logger.setLevel(logging.DEBUG)
    logger.handlers = [screen, file]
    logger.propagate = False  # libraries hang handlers of their own on the root


def _log_file() -> Path:
    return Path(os.environ.get("SPARK_LOG_DIR", "logs")) / "fashionrec.log"


def _leave(message: str, status: int) -> None:
    print(f"error: {printable(message)}", file=sys.stderr)
    sys.exit(status)
