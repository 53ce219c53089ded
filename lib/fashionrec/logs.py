"""Where a job's log goes: lines on stderr, as text or as JSON, and everything into a file."""

import json
import logging
import os
import sys
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

from fashionrec.errors import printable

TEXT, JSON = FORMATS = ("text", "json")
_FORMAT = "FASHIONREC_LOG_FORMAT"  # tells it to the processes that a job starts


def log_to_stderr_and_file(form: str) -> None:
    """Show progress on stderr, in one of `FORMATS`; keep all, stack traces included, in a file."""
    os.environ[_FORMAT] = form
    log_file().parent.mkdir(parents=True, exist_ok=True)
    file = RotatingFileHandler(
        log_file(), maxBytes=20 << 20, backupCount=2, encoding="utf-8", errors="backslashreplace"
    )
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    _log_to(_screen(form), file)


def log_to_stderr() -> None:
    """Show progress on stderr, in the format of the job that started this process."""
    _log_to(_screen(os.environ.get(_FORMAT, TEXT)))


def log_file() -> Path:
    """Return the file that a job's log is kept in."""
    return Path(os.environ.get("SPARK_LOG_DIR", "logs")) / "fashionrec.log"


def _screen(form: str) -> logging.Handler:
    screen = logging.StreamHandler(sys.stderr)
    screen.setLevel(logging.INFO)
    screen.setFormatter(_JsonLine() if form == JSON else _TextLine("%(asctime)s %(message)s", "%T"))
    return screen


def _log_to(*handlers: logging.Handler) -> None:
    logger = logging.getLogger("fashionrec")
    logger.setLevel(logging.DEBUG)
    logger.handlers = list(handlers)
    logger.propagate = False  # libraries hang handlers of their own on the root


class _TextLine(logging.Formatter):
    """The time and the message; what ends a job is no progress, and begins with 'error'."""

    def format(self, record: logging.LogRecord) -> str:
        if record.levelno >= logging.ERROR:
            return f"error: {printable(record.getMessage())}"
        return super().format(record)


class _JsonLine(logging.Formatter):
    """A line of JSON: time (UTC), level, logger, message."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"time": time, "level": record.levelname.lower(), "logger": record.name}
        return json.dumps(line | {"message": record.getMessage()})
