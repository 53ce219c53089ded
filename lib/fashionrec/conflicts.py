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


def committed(path: str, write: Callable[[], object], *, absolute: bool = False) -> None:
    """Make a commit to the table at `path`, again where others were faster, at most four times.

    Nothing of an attempt that failed is in the table. A write that is computed from the table's
    rows is made again only where all that came between was upkeep; an `absolute` one always.

    Raises:
        FashionrecError: the rows it was computed from have changed.
    """
    for pause in (*_PAUSES, None):
        before = DeltaTable(path).version()
        try:
            write()
            return
        except Exception as error:
            if not _is_conflict(error):
                raise
            operations = _operations_since(path, before)
            if not absolute and operations - UPKEEP:
                raise FashionrecError(
                    f"{path}: another program changed its rows ({', '.join(sorted(operations))}) "
                    "while this run wrote to it: run the job again"
                ) from error
            if pause is None:
                raise
            log.warning("%s: %s came between, writes again", path, ", ".join(sorted(operations)))
            time.sleep(pause)


def _is_conflict(error: Exception) -> bool:
    return isinstance(error, CommitFailedError) or bool(_CONFLICT.search(str(error)))


def _operations_since(path: str, version: int) -> set[str]:
    history = DeltaTable(path).history()
    return {commit["operation"] for commit in history if commit["version"] > version}
