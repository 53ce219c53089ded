"""All checks of an environment, in the order in which a night would need what they look at."""

import logging
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import pyspark
from pyspark.sql import SparkSession

from fashionrec.cli import Context
from fashionrec.config import project_home
from fashionrec.creation import check_folder
from fashionrec.doctor import executors, machine, probe, software, storage
from fashionrec.doctor.executors import Answers
from fashionrec.doctor.finding import Check, Finding, examined, failed, ok
from fashionrec.doctor.machine import Size
from fashionrec.lock import WHOLE, holders
from fashionrec.paths import is_remote
from fashionrec.read import TableReader
from fashionrec.session import spark_session
from fashionrec.tables import IMAGES, SCHEMA_VERSION
from fashionrec.training.launch import GPUS_PER_TASK
from fashionrec.write import TableWriter

log = logging.getLogger(__name__)


def doctor(context: Context) -> dict[str, Finding]:
    """Look at everything; Spark is started as a night would start it."""
    try:
        size = machine.size_of(context.catalogue or context.sample)
    except OSError:
        size = Size()  # the check of the catalogue says why
    findings = examined(_without_spark(context, size))
    log.info("doctor: starting Spark")
    try:
        spark = spark_session("doctor")
    except Exception as error:
        return findings | {"spark": failed(error)}  # executors cannot be asked
    findings |= examined(_of_session(context, spark))
    log.info("doctor: asking executors")
    try:
        wants_gpu = context.config.embed.device != "cpu"
        answers = executors.ask_executors(spark, ask_torch=wants_gpu)
    except Exception as error:
        return findings | {"executors": failed(error)}
    return findings | examined(_of_executors(context, spark, size, answers))


def _without_spark(context: Context, size: Size) -> dict[str, Check]:
    warehouse, reader = str(context.warehouse), TableReader(context.warehouse)
    pinned = software.pins(project_home() / "requirements.txt")
    versions = software.installed({*pinned, *software.FITTING})
    catalogue = context.catalogue or context.sample
    return {
        "python": partial(software.check_python, sys.version.split()[0], sys.executable),
        "java": lambda: software.check_java(software.java_says()),
        "packages": partial(software.check_pins, pinned, versions),
        "packages that fit": partial(software.check_fit, versions),
        "catalogue": partial(
            machine.check_catalogue, catalogue, size, is_sample=context.catalogue is None
        ),
        "warehouse": partial(storage.check_rights, warehouse),
        "tables": partial(_check_tables, warehouse),
        "lock": lambda: machine.check_lock(
            holders(context.warehouse, context.config.lock).get(WHOLE)
        ),
        "model": partial(machine.check_model, reader, context.config.model),
        "disk": lambda: machine.check_disk(_places(context, size)),
        "clock": lambda: _check_clock(warehouse),
    }


def _check_tables(warehouse: str) -> Finding:
    check_folder(warehouse)
    missing = TableWriter(warehouse).missing()  # raises where they are not ours, or too new
    told = f"; {len(missing)} to be made" if missing else ""
    return ok(f"table schema {SCHEMA_VERSION}{told}")


def _places(context: Context, size: Size) -> list[machine.Place]:
    need = machine.need_of_work(size)
    temporary = machine.place("temporary files", Path(tempfile.gettempdir()), need)
    if is_remote(context.warehouse):
        return [temporary]
    images = (context.warehouse / IMAGES.name).rglob("*")
    stored = sum(path.stat().st_size for path in images if path.is_file())
    for_tables = machine.need_of_warehouse(size, stored)
    return [machine.place("warehouse", context.warehouse, for_tables), temporary]


def _check_clock(warehouse: str) -> Finding:
    last = machine.last_run(warehouse)
    try:
        probed = storage.probe(warehouse)
    except OSError:
        probed = None  # the check of the warehouse says why
    if probed is None:
        return machine.check_clock(time.time(), None, last)
    return machine.check_clock(probed.now, probed.mtime, last)


def _of_session(context: Context, spark: SparkSession) -> dict[str, Check]:
    conf, warehouse = spark.sparkContext.getConf(), str(context.warehouse)
    log_store = f"spark.delta.logStore.{storage.scheme_of(warehouse)}.impl"
    heap = spark._jvm.java.lang.Runtime.getRuntime().maxMemory()  # type: ignore[union-attr]
    workers = spark.sparkContext.defaultParallelism if executors.is_local(spark) else 0
    return {
        "spark": partial(
            executors.check_spark,
            str(spark.sparkContext.master),
            spark.version,
            pyspark.__version__,
        ),
        "log store": lambda: storage.check_log_store(
            warehouse,
            storage.system_of(warehouse),
            conf.get(log_store, ""),
        ),
        "memory": lambda: machine.check_memory(machine.memory_limit(), heap, workers),
        "worker reuse": lambda: executors.check_worker_reuse(
            conf.get("spark.python.worker.reuse", "true")
        ),
        "arrow": lambda: executors.check_arrow(
            int(spark.conf.get(executors.ROWS) or 0),
            executors.as_bytes(spark.conf.get(executors.BYTES) or "0"),
            context.config.ingest.max_bytes,
        ),
        "gpu discovery": lambda: executors.check_discovery(
            conf.get(executors.DISCOVERY, ""), conf.get("spark.files", "")
        ),
        "gpu for training": lambda: executors.check_gpu_for_training(
            context.config.finetune, conf.get(GPUS_PER_TASK, "")
        ),
    }


def _of_executors(
    context: Context, spark: SparkSession, size: Size, answers: Answers
) -> dict[str, Check]:
    local, per_task = executors.is_local(spark), spark.sparkContext.getConf().get(GPUS_PER_TASK, "")
    driver = {name: probe.version_of(name) for name in probe.PACKAGES}
    return {
        "executors": partial(executors.check_pythons, answers, sys.version.split()[0]),
        "their packages": partial(executors.check_packages, answers, driver),
        "their fashionrec": partial(executors.check_package, answers, probe.package_digest()),
        "their disks": partial(executors.check_work_folders, answers, machine.need_of_work(size)),
        "their clocks": partial(executors.check_clocks, answers),
        "gpu for embed": partial(
            executors.check_gpu_for_embed,
            context.config.embed,
            per_task,
            answers.facts,
            local=local,
        ),
    }
