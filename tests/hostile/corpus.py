"""What a case of the corpus is, and the limits under which each is run."""

import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

_MOST_BYTES = 1 << 30  # of memory beyond what the process has
_MOST_SECONDS = 10  # of the processor
_MOST_WAITING = 60  # for a pipe that nobody writes to


@dataclass(frozen=True)
class Case:
    """A bad file: its content, or how it comes to be, and what is said of it (a pattern)."""

    name: str
    content: bytes | Callable[[Path], object]
    says: str

    def write(self, path: Path) -> None:
        """Make the file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(self.content, bytes):
            path.write_bytes(self.content)
        else:
            self.content(path)


def each(cases: list[Case]) -> pytest.MarkDecorator:
    """Run a test once for each case."""
    assert len({case.name for case in cases}) == len(cases), "two cases have one name"
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)


def nothing(_: Path) -> None:
    """Make no file."""


def holes(size: int, start: bytes = b"") -> Callable[[Path], None]:
    """Write a file that seems huge, and takes no room."""

    def write(path: Path) -> None:
        with path.open("wb") as file:
            file.write(start)
            file.truncate(size)

    return write


@contextmanager
def bounded() -> Iterator[None]:
    """Fail what takes too much memory, works too long, or waits for ever."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    before = {s: signal.signal(s, _too_long) for s in (signal.SIGPROF, signal.SIGALRM)}
    signal.setitimer(signal.ITIMER_PROF, _MOST_SECONDS)
    signal.alarm(_MOST_WAITING)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + _MOST_BYTES, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
        for number, handler in before.items():
            signal.signal(number, handler)


class _TooLongError(BaseException):
    """No `except Exception` takes it for a reason."""


def _too_long(number: int, _frame: object) -> None:
    raise _TooLongError(signal.Signals(number).name)
