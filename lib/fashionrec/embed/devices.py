"""What GPU there is where tasks run. Apart from `frames`, whose workers may do without torch."""

import torch
from pyspark.sql import SparkSession

from fashionrec.embed.engines import check_settings
from fashionrec.embed.frames import assigned_gpu
from fashionrec.embed.torch_engine import Precision, device_of, gpu_precision
from fashionrec.settings import EmbedSettings


def executors_gpu(spark: SparkSession) -> Precision | None:
    """Return the precision of the GPU that tasks see: the driver's machine may have another."""
    context = spark.sparkContext
    if str(context.master).startswith("local"):
        return gpu_precision()
    return context.parallelize([0], 1).map(lambda _: gpu_precision()).first()


def check_devices(spark: SparkSession, settings: EmbedSettings) -> None:
    """Check that the settings `device` and `engine` can be had where tasks run.

    Raises:
        FashionrecError: they cannot.
    """
    check_settings(settings, lambda: executors_gpu(spark))


def task_device() -> torch.device:
    """Return the device of this task: the GPU that Spark assigned, else the first, else the CPU."""
    device = "cuda" if gpu_precision() else "cpu"
    return device_of(device, assigned_gpu(), torch.cuda.device_count())
