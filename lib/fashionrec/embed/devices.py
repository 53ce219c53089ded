"""What GPU there is where tasks run. Apart from `frames`, whose workers may do without torch."""

import torch
from pyspark.sql import SparkSession

from fashionrec.embed.engines import check_settings
from fashionrec.embed.frames import assigned_gpu
from fashionrec.embed.torch_engine import device_of
from fashionrec.settings import EmbedSettings


def executors_have_gpu(spark: SparkSession) -> bool:
    """Return whether tasks see a usable GPU: the driver's machine may differ."""
    context = spark.sparkContext
    if str(context.master).startswith("local"):
        return torch.cuda.is_available()
    return context.parallelize([0], 1).map(lambda _: torch.cuda.is_available()).first()


def check_devices(spark: SparkSession, settings: EmbedSettings) -> None:
    """Check that the settings `device` and `engine` can be had where tasks run.

    Raises:
        FashionrecError: they cannot.
    """
    check_settings(settings, lambda: executors_have_gpu(spark))


def task_device() -> torch.device:
    """Return the device of this task: the GPU that Spark assigned, else the first, else the CPU."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return device_of(device, assigned_gpu(), torch.cuda.device_count())
