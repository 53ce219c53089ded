"""What each rule of the audits counts or measures, and how `runs` tells of it. No Spark."""

from collections.abc import Mapping

MEASURES = {
    "complete": "products without a full list",
    "embedded": "share of pictures without an embedding",
    "ranks": "lists whose ranks have gaps",
    "itself": "lists with the product itself",
    "unknown": "neighbours that are no products",
    "range": "lists with similarities outside -1 to 1",
    "order": "lists whose similarity rises with rank",
    "models": "further model versions",
    "removed": "share of published products that are gone",
    "rejected": "share of lines that were rejected",
    "churn": "share of lists that changed",
    "drift": "distance of similarities from the last night's",
    "disagreement": "share of neighbours of another article type",
}
_SHARES = {"embedded", "removed", "rejected", "churn", "drift", "disagreement"}
_MILLION = 1_000_000


def as_count(rule: str, value: float) -> tuple[str, int]:
    """Return a measured value as `runs.counts` hold it, which are whole numbers: a name without
    its step, and a count; of shares the parts per million.
    """
    return (f"{rule}_ppm", round(value * _MILLION)) if rule in _SHARES else (rule, int(value))


def value_of(rule: str, counts: Mapping[str, float]) -> float | None:
    """Return what a run measured by a rule; None: it did not, or kept no record of it."""
    name, scale = (f"{rule}_ppm", _MILLION) if rule in _SHARES else (rule, 1)
    count = counts.get(f"audits.{name}")
    return None if count is None else count / scale
