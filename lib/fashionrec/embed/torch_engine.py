"""The reference engine, for GPUs and for CPUs where OpenVINO is not wanted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from fashionrec.embed.cuda_graph import CudaGraph, Forward
from fashionrec.embed.decode import Pixels
from fashionrec.embed.encoder import Encoded, as_encoded, full_batch
from fashionrec.embed.model import Model
from fashionrec.embed.network import load_network
from fashionrec.embed.preprocessing import Preprocessing

Precision = Literal["fp32", "bf16", "fp16"]

# On a GPU as fast as bfloat16, and nearer to float32: for 224x224 pixels the least cosine with its
# embeddings is 0.9999, of bfloat16 0.998. A picture whose numbers overflow is told; see `encode`.
GPU_PRECISION: Precision = "fp16"

_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def cpu_precision() -> Precision:
    """Return the fastest precision of this processor that keeps embeddings close to fp32's."""
    return "bf16" if torch.ops.mkldnn._is_mkldnn_bf16_supported() else "fp32"


@dataclass(frozen=True)
class TorchProgram:
    """A model version for torch."""

    model: Model
    device: str
    precision: Precision
    batch_size: int

    @property
    def key(self) -> str:
        """Model version and engine."""
        return f"{self.model.version} {self.engine} {self.batch_size}"

    @property
    def engine(self) -> str:
        """Engine, precision and device."""
        return f"torch {self.precision} {self.device}"

    @property
    def preprocessing(self) -> Preprocessing:
        """The model's."""
        return self.model.preprocessing

    def load(self, threads: int, gpu: int | None = None) -> "TorchEncoder":
        """Load the network into this process."""
        return TorchEncoder(self, threads, gpu)


class TorchEncoder:
    """A network on one device."""

    def __init__(self, program: TorchProgram, threads: int, gpu: int | None) -> None:
        torch.set_num_threads(threads)
        self.batch_size = program.batch_size
        self._classes = program.model.classes
        self._device = device_of(program.device, gpu, torch.cuda.device_count())
        self._type = _TYPES[program.precision]
        network = load_network(program.model).to(self._device)
        self._network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._forward: Forward = self._pass
        if self._device.type == "cuda":
            self._forward = self._recorded(program)

    @torch.inference_mode()
    def _recorded(self, program: TorchProgram) -> CudaGraph:
        seen = program.preprocessing
        shape = (program.batch_size, seen.height, seen.width, 3)
        return CudaGraph(self._pass, shape, self._device)

    def _pass(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        half = self._type is not torch.float32
        # A graph that is recorded must not refer to the cache of cast weights, which ends with it.
        with torch.autocast(self._device.type, self._type, enabled=half, cache_enabled=False):
            results: tuple[Tensor, Tensor] = self._network(pixels)
        return results

    @torch.inference_mode()
    def encode(self, batch: Sequence[Pixels]) -> list[Encoded]:
        """Return one result per picture, in order."""
        pixels = torch.from_numpy(full_batch(batch, self.batch_size))
        embeddings, probabilities = self._forward(pixels)
        return as_encoded(
            embeddings.cpu().numpy(), probabilities.cpu().numpy(), self._classes, len(batch)
        )


def device_of(device: str, gpu: int | None, visible: int) -> torch.device:
    """Return the device: on CUDA the GPU that Spark assigned, else the first.

    Where the cluster shows a container its own GPUs alone, they are numbered from 0 whatever their
    address: an address beyond those `visible` means that.
    """
    if device != "cuda":
        return torch.device(device)
    return torch.device("cuda", gpu if gpu is not None and gpu < visible else 0)
