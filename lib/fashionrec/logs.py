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


def log_to_stderr_and_file(form: str) -> None:
    """Show progress on stderr, in one of `FORMATS`; keep all, stack traces included, in a file."""
    screen = logging.StreamHandler(sys.stderr)
    screen.setLevel(logging.INFO)
    screen.setFormatter(_JsonLine() if form == JSON else _TextLine("%(asctime)s %(message)s", "%T"))
    log_file().parent.mkdir(parents=True, exist_ok=True)
    file = RotatingFileHandler(
        log_file(), maxBytes=20 << 20, backupCount=2, encoding="utf-8", errors="backslashreplace"
    )
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("fashionrec")
    logger.setLevel(logging.DEBUG)
    logger.handlers = [screen, file]
    logger.propagate = False  # libraries hang handlers of their own on the root


def log_file() -> Path:
    """Return the file that a job's log is kept in."""
    return Path(os.environ.get("SPARK_LOG_DIR", "logs")) / "fashionrec.log"


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
