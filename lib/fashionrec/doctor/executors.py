"""Spark as a night would have it: its settings, and what each executor's Python is."""

import os
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from py4j.protocol import Py4JJavaError
from pyspark import cloudpickle
from pyspark.sql import SparkSession

from fashionrec.doctor import probe
from fashionrec.doctor.finding import Finding, fail, ok, warn
from fashionrec.doctor.machine import apart
from fashionrec.doctor.probe import Facts
from fashionrec.doctor.software import Versions
from fashionrec.embed.engines import check_settings
from fashionrec.errors import FashionrecError
from fashionrec.model_settings import FinetuneSettings
from fashionrec.settings import EmbedSettings
from fashionrec.training.launch import GPUS_PER_TASK, check_whole_gpus, device_kind

DISCOVERY = "spark.executor.resource.gpu.discoveryScript"
ROWS, BYTES = (f"spark.sql.execution.arrow.max{what}PerBatch" for what in ("Records", "Bytes"))

_PATIENCE = 120.0  # seconds for the first executor, and for all answers
_OTHERS = 1.0  # seconds for further executors to register
_ARROW_LIMIT = 1 << 31  # bytes of one column of a batch: its offsets are 32-bit
_LARGE_BATCH = 1 << 28  # bytes: a worker holds a few batches
_NO_PYTHON = re.compile(
    r"Python in worker has different version: [^,]*|Cannot run program.*|No module named .*"
)
_UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_GPU_CONF = "--properties-file conf/gpu.conf --load-spark-defaults"


@dataclass(frozen=True)
class Answers:
    """What tasks over all executors said, and when, by this host's clock, in s since 1970."""

    facts: list[Facts]
    began: float
    ended: float

    def hosts_where(self, wrong: Callable[[Facts], bool]) -> str:
        """Return the hosts of which a task said something."""
        return ", ".join(sorted({facts["host"] for facts in self.facts if wrong(facts)}))


def ask_executors(spark: SparkSession, *, ask_torch: bool, patience: float = _PATIENCE) -> Answers:
    """Run a task on each core of the executors that are there.

    Raises:
        FashionrecError: none took it in time, or could.
    """
    context = spark.sparkContext
    if is_local(spark) and context.getConf().get(GPUS_PER_TASK):
        raise FashionrecError(
            f"{GPUS_PER_TASK} is set, and local mode hands out no GPUs, so that tasks would wait "
            "for ever: leave it out, and they take the first GPU that torch sees"
        )

    def ask() -> Answers:
        context.parallelize([0], 1).count()  # once there is an executor
        time.sleep(0 if is_local(spark) else _OTHERS)
        tasks, began = context.defaultParallelism, time.time()
        answers = context.parallelize(range(tasks), tasks).map(
            lambda _: probe.facts_here(ask_torch=ask_torch)
        )
        return Answers(answers.collect(), began, time.time())

    cloudpickle.register_pickle_by_value(probe)  # type: ignore[no-untyped-call]
    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(ask).result(patience)
    except TimeoutError as error:
        context.cancelAllJobs()
        raise FashionrecError(
            f"no executor has done a small task in {patience:.0f} s: see the cluster's page for "
            "free cores, memory and GPUs, and the executors' own logs"
        ) from error
    except Py4JJavaError as error:
        if why := _NO_PYTHON.search(str(error)):
            raise FashionrecError(
                f"executors cannot run the driver's Python ({context.pythonExec}): {why[0]}: "
                "let PYSPARK_PYTHON name one that is there, of the same version, on every host"
            ) from error
        raise
    finally:
        pool.shutdown(wait=False)
        cloudpickle.unregister_pickle_by_value(probe)  # type: ignore[no-untyped-call]


def is_local(spark: SparkSession) -> bool:
    """Say whether the driver is the whole of Spark."""
    return str(spark.sparkContext.master).startswith("local")


def check_spark(master: str, found: str, package: str) -> Finding:
    """Check that Spark itself is the version that its Python package is."""
    if found == package:
        return ok(f"{found} on {master}")
    return fail(
        f"Spark is {found}, pyspark {package}", "let SPARK_HOME be that of requirements.txt"
    )


def check_worker_reuse(reuse: str) -> Finding:
    """Check that Python workers serve one task after another."""
    if reuse.lower() == "true":
        return ok("Python workers are kept")
    return warn(
        "each task starts Python, and loads the network, anew", "set spark.python.worker.reuse=true"
    )


def check_arrow(rows: int, most_bytes: int, picture: int) -> Finding:
    """Check how large a batch of pictures on its way to Python may become.

    picture: `ingest.max_bytes`. A limit of 0 or less is none. Spark adds the picture that reaches
    the limit of bytes as well.
    """
    by_rows = rows * picture if rows > 0 else None
    by_bytes = most_bytes + picture if most_bytes > 0 else None
    limits = [limit for limit in (by_rows, by_bytes) if limit is not None]
    told = f"{rows:,} rows and {most_bytes:,} bytes at most, of pictures of up to {picture:,}"
    todo = f"set {ROWS}=256 and {BYTES}=32m, as conf/spark-defaults.conf does"
    if not limits or min(limits) >= _ARROW_LIMIT:
        return fail(f"{told}: a batch may pass Arrow's 2 GiB", todo)
    return warn(told, todo) if min(limits) > _LARGE_BATCH else ok(told)


def check_discovery(script: str, shipped: str) -> Finding:
    """Check the script by which executors find GPUs; `shipped`: the files given by --files."""
    if not script:
        return ok("no script is set")
    if Path(script).name in {Path(file).name for file in shipped.split(",")}:
        return ok(f"{script}, by --files")
    if not os.path.isfile(script):
        todo = f"correct {DISCOVERY}: executors would end as they start"
        return fail(f"{script}: there is no such file", todo)
    if not os.access(script, os.X_OK):
        return fail(f"{script}: may not be executed", f"chmod +x {script}")
    return ok(script)


def check_gpu_for_embed(
    settings: EmbedSettings, per_task: str, facts: Sequence[Facts], *, local: bool
) -> Finding:
    """Check that GPUs which are asked for are seen.

    per_task: Spark's setting, empty where tasks are given none; facts: of tasks, with `gpus` that
    torch sees and `addresses` that Spark gave.
    """
    blind = sum(not each["gpus"] for each in facts)
    check_settings(settings, lambda: not blind)  # raises
    if settings.device == "cpu" or settings.engine == "openvino":
        return ok("not asked for")
    given = sorted({address for each in facts for address in each["addresses"]})
    if blind and per_task:
        return fail(
            f"tasks are given GPUs {', '.join(given)}, but torch sees none in {blind} of "
            f"{len(facts)} tasks",
            "check nvidia-smi and the driver there, and that their torch is built for CUDA",
        )
    if blind:
        return ok("none is seen: embed runs on CPUs")
    if not local and not per_task:
        judge = fail if settings.device == "cuda" else warn
        return judge("tasks are given none: all would take the first", f"add {_GPU_CONF}")
    return ok(f"given {', '.join(given)}; {per_task} per task" if given else "this machine's")


def check_gpu_for_training(settings: FinetuneSettings, per_task: str) -> Finding:
    """Check that GPUs are there where training asks for them, and whole ones across executors."""
    kind = device_kind(settings)  # raises, as the next one does
    check_whole_gpus(settings, per_task)
    where = "across executors" if settings.across_executors else "on the driver's machine"
    return ok(f"training would run {where}, device {kind}")


def check_pythons(answers: Answers, driver: str) -> Finding:
    """Check that executors have the driver's Python."""
    found = sorted({f"{facts['python']} ({facts['executable']})" for facts in answers.facts})
    if wrong := answers.hosts_where(lambda facts: _minor(facts["python"]) != _minor(driver)):
        return fail(f"{', '.join(found)} on {wrong}", "let PYSPARK_PYTHON name the driver's Python")
    hosts = answers.hosts_where(lambda _: True)
    return ok(f"{', '.join(found)}; {len(answers.facts)} tasks on {hosts}")


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def check_packages(answers: Answers, driver: Versions) -> Finding:
    """Check that executors have the driver's versions."""
    differing = sorted(
        {
            f"{name} {found or 'missing'} for {driver[name]} on {facts['host']}"
            for facts in answers.facts
            for name, found in facts["versions"].items()
            if found != driver[name]
        }
    )
    if differing:
        todo = "give executors the driver's environment, say packed, by --archives"
        return fail(", ".join(differing), todo)
    return ok(", ".join(f"{name} {found}" for name, found in driver.items()))


def check_package(answers: Answers, driver: str | None) -> Finding:
    """Check that executors have this package, and the driver's source of it."""
    todo = "install it there, or ship it by --py-files"
    if hosts := answers.hosts_where(lambda facts: facts["package"] is None):
        return fail(f"fashionrec cannot be imported on {hosts}", todo)
    if hosts := answers.hosts_where(lambda facts: facts["package"] != driver):
        return fail(f"fashionrec on {hosts} is not the driver's", todo)
    return ok(f"the driver's (source {driver})")


def check_work_folders(answers: Answers, need: float) -> Finding:
    """Check the disk below which Spark keeps an executor's files: spark.local.dir."""
    least = min(facts["free"] for facts in answers.facts)
    told = f"{least / 1e9:,.1f} GB free of {need / 1e9:,.1f} needed"
    if hosts := answers.hosts_where(lambda facts: facts["free"] < need):
        return fail(f"{told}, on {hosts}", "make room, or set spark.local.dir (SPARK_LOCAL_DIRS)")
    return ok(told)


def check_clocks(answers: Answers) -> Finding:
    """Check executors' clocks against the driver's: each task answered while the driver waited."""
    differences = [
        max(answers.began - facts["time"], facts["time"] - answers.ended, 0.0)
        for facts in answers.facts
    ]
    return apart("executors", max(differences))


def as_bytes(text: str) -> int:
    """Read a size as Spark writes it: 32m, 67108864b, -1; without a unit, bytes."""
    size = text.strip().lower().removesuffix("b")
    return int(size.rstrip("kmg")) * _UNITS.get(size[-1:], 1)
