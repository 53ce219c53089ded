"""What a Delta table's log says of its commits: which changed rows, and which were upkeep."""

from typing import Any

from deltalake import DeltaTable

# Operations that leave the rows as they are.
UPKEEP = {
    "OPTIMIZE",
    "VACUUM START",
    "VACUUM END",
    "SET TBLPROPERTIES",
    "UNSET TBLPROPERTIES",
    "ADD CONSTRAINT",
    "DROP CONSTRAINT",
    "UPGRADE PROTOCOL",
}


def is_upkeep(commit: dict[str, Any]) -> bool:
    """Say whether a commit left the rows as they were."""
    return commit.get("operation") in UPKEEP


def last_change(delta: DeltaTable) -> dict[str, Any]:
    """Return the commit that last changed rows; the oldest where the log has forgotten it."""
    history = delta.history()
    return next((commit for commit in history if not is_upkeep(commit)), history[-1])


def same_rows(delta: DeltaTable, version: int) -> int:
    """Return the last version that has the rows of an earlier one: upkeep leaves rows as they are.

    Of the two it is the one whose files VACUUM keeps longer.
    """
    last = version
    for commit in reversed(delta.history()):
        if int(commit["version"]) > version:
            if not is_upkeep(commit) or int(commit["version"]) > last + 1:  # the log forgets
                break
            last = int(commit["version"])
    return last
