"""The reference engine, for GPUs and for CPUs where OpenVINO is not wanted."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from fashionrec.embed.decode import Pixels
from fashionrec.embed.encoder import Encoded, as_encoded, full_batch
from fashionrec.embed.model import Model
from fashionrec.embed.network import load_network
from fashionrec.embed.preprocessing import Preprocessing


@dataclass(frozen=True)
class TorchProgram:
    """A model version for torch, in bfloat16 where the device multiplies it."""

    model: Model
    device: str
    batch_size: int

    @property
    def key(self) -> str:
        """Model version and engine."""
        return f"{self.model.version} {self.engine} {self.batch_size}"

    @property
    def engine(self) -> str:
        """Engine, precision and device."""
        return f"torch {'bf16' if self.is_half else 'fp32'} {self.device}"

    @property
    def is_half(self) -> bool:
        """Whether products are in bfloat16."""
        return multiplies_bfloat16(self.device)

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
        self._half = program.is_half
        network = load_network(program.model).to(self._device)
        self._network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def encode(self, batch: Sequence[Pixels]) -> list[Encoded]:
        """Return one result per picture, in order."""
        pixels = torch.from_numpy(full_batch(batch, self.batch_size))
        if self._device.type == "cuda":
            pixels = pixels.pin_memory().to(self._device, non_blocking=True)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._half):
            embeddings, probabilities = self._network(pixels)
        return as_encoded(
            embeddings.cpu().numpy(), probabilities.cpu().numpy(), self._classes, len(batch)
        )


def multiplies_bfloat16(device: str) -> bool:
    """Say whether the kind of device, cuda or cpu, has instructions for it."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def device_of(device: str, gpu: int | None, visible: int) -> torch.device:
    """Return the device: on CUDA the GPU that Spark assigned, else the first.

    Where the cluster shows a container its own GPUs alone, they are numbered from 0 whatever their
    address: an address beyond those `visible` means that.
    """
    if device != "cuda":
        return torch.device(device)
    return torch.device("cuda", gpu if gpu is not None and gpu < visible else 0)
