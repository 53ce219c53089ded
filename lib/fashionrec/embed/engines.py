"""Which engine and device run a model version here. The driver decides; workers are told."""

import importlib.util

import torch

from fashionrec.config import EmbedSettings
from fashionrec.embed.encoder import Program
from fashionrec.embed.model import Model
from fashionrec.embed.torch_engine import TorchProgram
from fashionrec.errors import FashionrecError


def choose_program(model: Model, settings: EmbedSettings) -> Program:
    """Return the network for the settings `device` and `engine`.

    "auto" takes torch on a GPU where there is one, and else OpenVINO on the CPU.

    Raises:
        FashionrecError: what is asked for cannot be had here.
    """
    device = _device(settings.device)
    if settings.engine == "openvino" and device == "cuda":
        raise FashionrecError(
            "embed.engine = 'openvino' runs on the CPU, but embed.device = 'cuda': change one"
        )
    if device == "cpu" and settings.engine != "torch" and _has_openvino(settings.engine):
        from fashionrec.embed.openvino_engine import openvino_program

        return openvino_program(model, settings.batch_size)
    return TorchProgram(model, device, settings.batch_size)


def _device(wanted: str) -> str:
    available = torch.cuda.is_available()
    if wanted == "cuda" and not available:
        raise FashionrecError(
            "embed.device = 'cuda', but torch sees no usable GPU: check nvidia-smi and the driver, "
            "or set embed.device = 'auto'"
        )
    return "cuda" if available and wanted != "cpu" else "cpu"


def _has_openvino(engine: str) -> bool:
    found = importlib.util.find_spec("openvino") is not None
    if not found and engine == "openvino":
        raise FashionrecError("embed.engine = 'openvino', but it is not installed: pip install it")
    return found
