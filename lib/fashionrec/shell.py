"""An interactive shell for SQL: several lines up to a semicolon, history, errors in one line."""

import contextlib
import os
import readline
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from fashionrec.errors import FashionrecError, UsageError, printable

_HISTORY = Path("~/.fashionrec_history")
_BANNER = "A statement ends with a semicolon; help says more, exit or Ctrl-D ends this shell."
_HELP = """\
SHOW TABLES;      the tables and views
DESCRIBE NAME;    what the columns of one mean
Ctrl-C            gives up what is typed, or a query that runs
exit, Ctrl-D      ends this shell"""
_PROMPT, _MORE = "fashionrec> ", "       ...> "


def statements(lines: Iterator[str]) -> Iterator[str]:
    """Yield each statement of some lines, without its semicolon; the last one needs none."""
    text = ""
    for line in lines:
        for part in line.splitlines(keepends=True) or [""]:
            *ended, rest = part.split(";")
            for piece in ended:
                text += piece + ";"
                if sqlite3.complete_statement(text):  # no semicolon of a string or comment
                    yield from _told(text[:-1])
                    text = ""
            text += rest
    yield from _told(text)


def _told(text: str) -> list[str]:
    return [text.strip()] if text.strip() else []


def queries(text: str, *, alone: bool) -> list[str]:
    """Return the statements of a text that is given as a query.

    Raises:
        UsageError: there is none, or more than one where it must be `alone`.
    """
    found = list(statements(iter([text])))
    if not found:
        raise UsageError("QUERY is empty: give a statement, or leave it out for a shell")
    if alone and len(found) > 1:
        raise UsageError(f"--output takes the result of one statement: QUERY has {len(found)}")
    return found


def run_shell(run: Callable[[str], None]) -> None:
    """Read statements from a terminal and run them until Ctrl-D; Ctrl-C gives one up."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a job makes it what Ctrl-C is
    history = _HISTORY.expanduser()
    with contextlib.suppress(OSError):
        readline.read_history_file(history)
    print(_BANNER)
    try:
        while _read_and_run(run):
            pass
    finally:
        readline.set_history_length(1_000)
        with contextlib.suppress(OSError):
            readline.write_history_file(history)
            os.chmod(history, 0o600)


def _read_and_run(run: Callable[[str], None]) -> bool:
    """Read one line, and more until a semicolon ends it; run it; say whether to go on."""
    try:
        text = input(_PROMPT)
        word = text.strip().rstrip(";").lower()
        if word in ("exit", "quit"):
            return False
        if word == "help":
            print(_HELP)
            return True
        while text.strip() and not sqlite3.complete_statement(text):
            text += "\n" + input(_MORE)
        for statement in statements(iter([text])):
            run(statement)
    except EOFError:
        print()
        return False
    except KeyboardInterrupt:
        print()
    except FashionrecError as error:
        print(f"error: {printable(str(error))}", file=sys.stderr)
    return True
