"""Says how far a long Spark action is, and what its stages cost."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import uuid4

from pyspark import SparkContext
from pyspark.sql import SparkSession

from fashionrec.pace import SECONDS_BETWEEN_LINES, progress_line

log = logging.getLogger(__name__)


@dataclass
class StageCosts:
    """Sums over the tasks of an action: seconds of executors, and of their garbage collection."""

    seconds: dict[str, float] = field(default_factory=dict)


@contextmanager
def followed(
    spark: SparkSession, what: str, total: int, unit: str, finished: Callable[[], int]
) -> Iterator[StageCosts]:
    """Log a line every few seconds while the actions inside work on `total` things.

    `finished` says how many are done: an accumulator's value, which grows as tasks end.
    """
    context, group = spark.sparkContext, uuid4().hex
    context.setJobGroup(group, what)
    done, costs = threading.Event(), StageCosts()

    def watch() -> None:
        began = time.monotonic()
        while not done.wait(SECONDS_BETWEEN_LINES):
            seconds = time.monotonic() - began
            log.info("%s: %s", what, progress_line(finished(), total, seconds, unit))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield costs
    finally:
        done.set()
        watcher.join()
        costs.seconds = _stage_seconds(context, group)
        context.setLocalProperty("spark.jobGroup.id", None)  # type: ignore[arg-type]


def _stages(context: SparkContext, group: str) -> list[int]:
    """Return the group's stages, but for those that Spark has forgotten: it keeps a thousand."""
    tracker = context.statusTracker()
    jobs = [tracker.getJobInfo(job) for job in sorted(tracker.getJobIdsForGroup(group))]
    stages = [stage for job in jobs if job is not None for stage in sorted(job.stageIds)]
    return [stage for stage in stages if tracker.getStageInfo(stage) is not None]


def _stage_seconds(context: SparkContext, group: str) -> dict[str, float]:
    """Sum Spark's own metrics over the stages of the group."""
    store = context._jsc.sc().statusStore()
    stages = [store.lastStageAttempt(stage) for stage in _stages(context, group)]
    return {
        "tasks": sum(stage.executorRunTime() for stage in stages) / 1e3,
        "tasks_cpu": sum(stage.executorCpuTime() for stage in stages) / 1e9,
        "garbage_collection": sum(stage.jvmGcTime() for stage in stages) / 1e3,
    }
