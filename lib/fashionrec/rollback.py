"""Putting an earlier published night back."""

from fashionrec.errors import FashionrecError, UsageError
from fashionrec.read import TableReader
from fashionrec.store import Store
from fashionrec.tables import HELD, RECOMMENDATIONS, RUNS


def roll_back(store: Store, to: str | None) -> str:
    """Restore `recommendations` as a run left them, the one before where `to` is None; return it.

    The state that is committed with it holds the table until `publish --resume`.

    Raises:
        UsageError: no such run has published.
        FashionrecError: there is no earlier night, or its files were cleaned up.
    """
    nights = published_nights(store)
    night = to or _night_before(store, list(nights))
    if night not in nights:
        known = ", ".join(list(nights)[-10:]) or "none has"
        raise UsageError(f"--to {night}: that run published nothing; of those that did: {known}")
    store.restore(RECOMMENDATIONS, nights[night], state={HELD: night})
    return night


def published_nights(store: TableReader) -> dict[str, int]:
    """Return the version that each run left `recommendations` at, the oldest first."""
    columns = ["run_id", "job", "status", "started_at", "versions_written"]
    rows = store.scan(RUNS, columns).to_table().to_pylist()
    rows = [row for row in rows if row["status"] == "succeeded" and row["job"] != "rollback"]
    rows.sort(key=lambda row: row["started_at"])
    versions = ((row["run_id"], dict(row["versions_written"])) for row in rows)
    name = RECOMMENDATIONS.name
    return {run_id: written[name] for run_id, written in versions if name in written}


def _night_before(store: TableReader, nights: list[str]) -> str:
    now = store.state(RECOMMENDATIONS).get(HELD, nights[-1] if nights else None)
    earlier = nights[: nights.index(now)] if now in nights else []
    if not earlier:
        raise FashionrecError(
            f"{store.path(RECOMMENDATIONS)}: there is no published night before this one"
        )
    return earlier[-1]
