"""Queries that Ctrl-C ends."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

import duckdb

Result = TypeVar("Result")


def interruptible(
    connection: duckdb.DuckDBPyConnection,
) -> Callable[[Callable[[], Result]], Result]:
    """Return a function that calls another, and ends the connection's query at a signal.

    Python sees a signal only between its own steps, and a query is a single one: so the query runs
    in a thread of its own, while this one can be woken.
    """
    threads = ThreadPoolExecutor(1)

    def run(work: Callable[[], Result]) -> Result:
        working = threads.submit(work)
        try:
            return working.result()
        except KeyboardInterrupt:
            while wait([working], timeout=0.1).not_done:  # it may not have begun yet
                connection.interrupt()
            raise

    return run
