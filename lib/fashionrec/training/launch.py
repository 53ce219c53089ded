"""Starts the processes of a training with Spark's TorchDistributor."""

import os
import sys
from contextlib import redirect_stdout

import torch
from pyspark.ml.torch.distributor import TorchDistributor
from pyspark.sql import SparkSession

from fashionrec.errors import FashionrecError, UsageError
from fashionrec.model_settings import FinetuneSettings
from fashionrec.training.rank import FAILURE, Job, train_rank

GPUS_PER_TASK = "spark.task.resource.gpu.amount"


def device_kind(settings: FinetuneSettings) -> str:
    """Return cuda or cpu.

    Raises:
        FashionrecError: cuda is asked for, and torch sees no GPU.
    """
    available = torch.cuda.is_available() or settings.across_executors
    if settings.device == "cuda" and not available:
        raise FashionrecError(
            "finetune.device = 'cuda', but torch sees no usable GPU: check nvidia-smi and the "
            "driver, or set finetune.device = 'auto'"
        )
    if settings.device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return settings.device


def check_whole_gpus(settings: FinetuneSettings, per_task: str) -> None:
    """Check that each process on an executor is given a GPU of its own, or more.

    per_task: spark.task.resource.gpu.amount, empty where Spark hands none out. TorchDistributor
    reads it as a whole number.

    Raises:
        FashionrecError: processes share GPUs, or are given none.
    """
    if not settings.across_executors or device_kind(settings) != "cuda":
        return
    if not per_task or not float(per_task).is_integer() or float(per_task) < 1:
        raise FashionrecError(
            f"finetune.across_executors on GPUs needs whole ones, and {GPUS_PER_TASK} is "
            f"{per_task or 'not set'}: add --properties-file conf/gpu.conf --load-spark-defaults, "
            "or set finetune.device = 'cpu'"
        )


def processes(settings: FinetuneSettings) -> int:
    """Return how many processes train: one per GPU of this machine unless settings say more.

    Raises:
        UsageError: they run across executors, whose GPUs nobody here can count.
    """
    if settings.across_executors and not settings.processes:
        raise UsageError(
            "finetune.across_executors needs a number of processes: give --processes N"
        )
    found = torch.cuda.device_count() if device_kind(settings) == "cuda" else 1
    return settings.processes or max(found, 1)


def threads(spark: SparkSession, settings: FinetuneSettings) -> int:
    """Return the threads of each process: its share of the cores, or what a Spark task has."""
    if settings.across_executors:
        return int(spark.conf.get("spark.task.cpus", "1") or 1)
    return max(1, len(os.sched_getaffinity(0)) // processes(settings))


def launch(job: Job) -> None:
    """Run a training to its end; its last checkpoint holds the result.

    Raises:
        FashionrecError: a process failed; the message is the process' own.
    """
    across = job.settings.across_executors
    # On this machine processes choose their GPUs themselves: local mode knows no task resources.
    distributor = TorchDistributor(
        num_processes=job.ranks, local_mode=not across, use_gpu=across and job.device == "cuda"
    )
    failure = job.folder / FAILURE
    failure.unlink(missing_ok=True)
    try:
        # It passes the processes' output on to stdout, which is for results.
        with redirect_stdout(sys.stderr):
            distributor.run(train_rank, job)
    except Exception as error:  # RuntimeError here, Spark's own from executors
        told = failure.read_text(encoding="utf-8") if failure.exists() else str(error)
        raise FashionrecError(f"finetune: a process failed: {told}") from error
