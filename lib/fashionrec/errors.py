"""The errors that end a job with one line and an exit status, and never with a stack trace."""

import re
from collections.abc import Iterator


class FashionrecError(Exception):
    """Something a user can mend; the message names what and how. Exit status 1."""

    exit_status = 1
    run_status = "failed"


class UsageError(FashionrecError):
    """Wrong options or settings: nothing was started. Exit status 2."""

    exit_status = 2


class RefusedError(FashionrecError):
    """The job could go on, but its result must not be published. Exit status 3."""

    exit_status = 3
    run_status = "refused"


class FetchError(FashionrecError):
    """A URL that was not fetched; the message is the reason, and never tells an address."""


class UnreachableError(FetchError):
    """A host that was not found, could not be connected to, or took too long."""


class StaleError(FashionrecError):
    """What is published is older than asked for. Exit status 4."""

    exit_status = 4


class HeldError(FashionrecError):
    """Another run holds the warehouse. Exit status 5."""

    exit_status = 5
    run_status = "held"


_PY4J = "An error occurred while calling "  # which it was; Java's own words are below
_FULL = "No space left on device"
_OF_STORE = re.compile(r"<Message>([^<\n]+)")


def one_line(error: BaseException) -> str:
    """Return what an error says in one line; a worker's error comes with its whole trace."""
    if any(_FULL in _said(each) for each in chain(error)):
        return f"{_FULL}: make room and run again"
    lines = [line.strip() for line in _said(error).splitlines() if line.strip()]
    own = [line for line in lines if line.startswith(f"{__name__}.")]
    if own:
        return own[-1].partition(": ")[2]
    if isinstance(error, FashionrecError):
        return _said(error)
    of_store = _OF_STORE.search(_said(error))
    if of_store:  # delta-rs adds the request, and the store's answer as it came
        return f"{lines[0]}: {of_store[1]}"
    of_delta = [line for line in lines if "[DELTA_" in line]
    if of_delta:  # Java's first line only says that there was an error
        return of_delta[0][of_delta[0].index("[DELTA_") :]
    if len(lines) > 1 and lines[0].startswith(_PY4J):
        return lines[1].removeprefix(": ")
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def reason(error: Exception) -> str:
    """Return why a file or a store fails, in one line: not every OSError has a `strerror`."""
    return getattr(error, "strerror", None) or one_line(error)


def _said(error: BaseException) -> str:
    """Return an error's words; a Java error's are asked for in its process, which may be gone."""
    try:
        return str(error)
    except Exception:
        return "Spark's Java process has ended, and with it what it had to say"


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Return an error and those that led to it: writing the record may have failed as well."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def printable(text: str) -> str:
    """Return a text in one line that cannot steer a terminal: names of files are anybody's."""
    line = " ".join(part.strip() for part in text.splitlines())
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
