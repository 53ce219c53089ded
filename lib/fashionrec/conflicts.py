"""Commits that another writer's commit came before: which are made again, and which are not."""

import logging
import re
import time
from collections.abc import Callable

from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from fashionrec.errors import FashionrecError
from fashionrec.history import UPKEEP

log = logging.getLogger(__name__)

# Spark hands on Delta's conflicts as Java's exceptions, which have no class of their own in Python.
_CONFLICT = re.compile(r"\b(Concurrent\w+|MetadataChanged|ProtocolChanged)Exception\b")
_PAUSES = (0.5, 2.0, 8.0)  # seconds before each further attempt


def committed(
    path: str, write: Callable[[], object], *, since: int | None = None, absolute: bool = False
) -> None:
    """Make a commit to the table at `path`, again where others were faster, at most four times.

    Nothing of an attempt that failed is in the table. A write that is computed from the table's
    rows is made only where all that was committed `since` the version that it was computed from,
    or else since now, is upkeep; an `absolute` one always.

    Raises:
        FashionrecError: the rows it was computed from have changed.
    """
    start = DeltaTable(path).version() if since is None else since
    operations_since = _operations_since if absolute else _upkeep_since
    for pause in (*_PAUSES, None):
        operations_since(path, start)
        try:
            write()
            return
        except Exception as error:
            if not _is_conflict(error):
                raise
            operations = operations_since(path, start)
            if pause is None:
                raise
            log.warning("%s: %s came between, writes again", path, ", ".join(sorted(operations)))
            time.sleep(pause)


def _is_conflict(error: Exception) -> bool:
    return isinstance(error, CommitFailedError) or bool(_CONFLICT.search(str(error)))


def _upkeep_since(path: str, version: int) -> set[str]:
    """Return the operations since a version, all of which must have left the rows as they were."""
    operations = _operations_since(path, version)
    if operations - UPKEEP:
        raise FashionrecError(
            f"{path}: another program changed its rows ({', '.join(sorted(operations))}) while "
            "this run worked on them: run the job again"
        )
    return operations


def _operations_since(path: str, version: int) -> set[str]:
    delta = DeltaTable(path)
    return {commit["operation"] for commit in delta.history(delta.version() - version)}
