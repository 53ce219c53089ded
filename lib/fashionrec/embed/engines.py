"""Which engine and device run a model version here. The driver decides; workers are told."""

import importlib.util
from collections.abc import Callable

import torch

from fashionrec.embed.encoder import Program
from fashionrec.embed.model import Model
from fashionrec.embed.torch_engine import GPU_PRECISION, TorchProgram, cpu_precision
from fashionrec.errors import FashionrecError
from fashionrec.settings import EmbedSettings

# Asks, where the network is going to run, whether there is a usable GPU.
FindGpu = Callable[[], bool]


def check_settings(settings: EmbedSettings, find_gpu: FindGpu = torch.cuda.is_available) -> None:
    """Check that what `device` and `engine` ask for can be had, before any work.

    Raises:
        FashionrecError: it cannot.
    """
    if settings.device == "cuda":
        if settings.engine == "openvino":
            raise FashionrecError(
                "embed.engine = 'openvino' runs on the CPU, but embed.device = 'cuda': change one"
            )
        _require(find_gpu())
    if settings.engine == "openvino" and not _has_openvino():
        raise FashionrecError("embed.engine = 'openvino', but it is not installed: pip install it")


def choose_program(
    model: Model, settings: EmbedSettings, find_gpu: FindGpu = torch.cuda.is_available
) -> Program:
    """Return the network for the settings `device` and `engine`.

    "auto" takes torch on a GPU where there is one, and else OpenVINO on the CPU.

    Raises:
        FashionrecError: what is asked for cannot be had here.
    """
    check_settings(settings, find_gpu)
    wants_gpu = settings.device != "cpu" and settings.engine != "openvino"
    if wants_gpu and find_gpu():
        return TorchProgram(model, "cuda", GPU_PRECISION, settings.batch_size)
    if settings.engine == "torch" or not _has_openvino():
        return TorchProgram(model, "cpu", cpu_precision(), settings.batch_size)
    from fashionrec.embed.openvino_engine import openvino_program

    return openvino_program(model, settings.batch_size)


def _require(gpu: bool) -> None:
    if not gpu:
        raise FashionrecError(
            "embed.device = 'cuda', but torch sees no usable GPU: check nvidia-smi and the driver, "
            "or set embed.device = 'auto'"
        )


def _has_openvino() -> bool:
    return importlib.util.find_spec("openvino") is not None
