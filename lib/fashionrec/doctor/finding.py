"""What a check finds, what to do about it, and how findings are told."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Literal, get_args

from fashionrec.errors import FashionrecError, one_line, printable
from fashionrec.logs import log_file
from fashionrec.tables import Row

log = logging.getLogger(__name__)

Status = Literal["ok", "warn", "fail"]
_WIDTH_OF_STATUS = 4


@dataclass(frozen=True)
class Finding:
    """How a check ended, what it found in one line, and what to do, unless all is well."""

    status: Status
    found: str
    todo: str = ""


Check = Callable[[], Finding]


def ok(found: str) -> Finding:
    """All is well."""
    return Finding("ok", found)


def warn(found: str, todo: str) -> Finding:
    """A night may get through, and a person should look at it."""
    return Finding("warn", found, todo)


def fail(found: str, todo: str) -> Finding:
    """A night would be lost."""
    return Finding("fail", found, todo)


def examined(checks: Mapping[str, Check]) -> dict[str, Finding]:
    """Make every check, in order; one that raises has failed, and costs no other."""
    return {name: _examine(check) for name, check in checks.items()}


def _examine(check: Check) -> Finding:
    try:
        return check()
    except Exception as error:
        return failed(error)


def failed(error: Exception) -> Finding:
    """Return what an error says; our own say what to do as well."""
    log.debug("a check raised", exc_info=error)
    if isinstance(error, FashionrecError):
        return fail(str(error), "")
    return fail(one_line(error), f"see the stack trace in {log_file()}")


def counted(findings: Mapping[str, Finding]) -> dict[str, int]:
    """Return how many findings there are of each status."""
    statuses = [finding.status for finding in findings.values()]
    return {status: statuses.count(status) for status in get_args(Status)}


def formatted(findings: Mapping[str, Finding]) -> str:
    """Return a line per check, and what to do below those that need it."""
    width = max(map(len, findings), default=0)
    lines = []
    for name, finding in findings.items():
        found, todo = printable(finding.found), printable(finding.todo)
        lines.append(f"  {finding.status:<{_WIDTH_OF_STATUS}}  {name:<{width}}  {found}")
        if todo:
            lines.append(f"  {'':<{_WIDTH_OF_STATUS}}  {'':<{width}}  -> {todo}")
    return "\n".join(lines)


def as_record(findings: Mapping[str, Finding]) -> Row:
    """Return what the job's line of JSON tells beside what such lines always do."""
    counts = counted(findings)
    status = "failed" if counts["fail"] else "succeeded"
    checks = [{"check": name, **asdict(finding)} for name, finding in findings.items()]
    return {"status": status, "counts": counts, "checks": checks}
