"""What a benchmark found: lines of seconds, and figures for machines."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

log = logging.getLogger(__name__)


@dataclass
class Report:
    """Seconds by what took them, and the figures of the last line."""

    title: str
    unit: str  # what the others are compared with
    seconds: dict[str, float] = field(default_factory=dict)
    figures: dict[str, float | int | None] = field(default_factory=dict)

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Time what happens inside."""
        began = perf_counter()
        yield
        self.seconds[what] = perf_counter() - began
        log.info("%s: %.2f s", what, self.seconds[what])

    def text(self) -> str:
        """A table of seconds, as they are and by those of the unit; then the figures as JSON."""
        width = max(map(len, self.seconds))
        base = self.seconds[self.unit]
        lines = [f"{self.title}\n", f"{'':{width}}  seconds   ratio"]
        lines += [f"{w:{width}}  {s:7.2f}  {s / base:6.3f}" for w, s in self.seconds.items()]
        return "\n".join([*lines, "", json.dumps(self.figures)])
