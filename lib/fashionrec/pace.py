"""How far a long work is, in words. No Spark."""

SECONDS_BETWEEN_LINES = 5.0


def progress_line(finished: int, total: int, seconds: float, unit: str) -> str:
    """Return done, total, rate and time left, as far as they are known."""
    finished = min(finished, total)  # a task that was run twice has counted twice
    if not finished:
        return f"0 of {total:,} {unit}, {seconds:.0f} s so far"
    rate = finished / seconds
    left = (total - finished) / rate
    return f"{finished:,} of {total:,} {unit}, {rate:,.0f} {unit}/s, {left:.0f} s left"
