"""Engines that run a network on batches of pixels, and what they return. No Spark."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from fashionrec.embed.decode import Pixels
from fashionrec.embed.model import Model
from fashionrec.embed.network import load_network
from fashionrec.errors import FashionrecError


@dataclass(frozen=True)
class Encoded:
    """A picture's embedding, float32 [d] of unit length, and its most probable class, if any."""

    embedding: NDArray[np.float32]
    article_type: str | None
    probability: float | None


class Encoder(Protocol):
    """Anything that encodes batches of up to `batch_size` pictures."""

    batch_size: int

    def encode(self, batch: Sequence[Pixels]) -> list[Encoded]:
        """Return one result per picture, in order."""
        ...


class TorchEncoder:
    """The reference engine: torch on a GPU, or on the CPU in bfloat16 where it multiplies that."""

    def __init__(self, model: Model, device: str, batch_size: int, threads: int) -> None:
        torch.set_num_threads(threads)
        self.batch_size = batch_size
        self._classes = model.classes
        self._device = torch.device(device)
        self._network = load_network(model).to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._half = self._device.type == "cuda" or torch.ops.mkldnn._is_mkldnn_bf16_supported()

    @torch.inference_mode()
    def encode(self, batch: Sequence[Pixels]) -> list[Encoded]:
        """Return one result per picture, in order."""
        # Always a full batch: a picture's numbers must not depend on how many others came along.
        pixels = np.zeros((self.batch_size, *batch[0].shape), np.uint8)
        pixels[: len(batch)] = batch
        inputs = torch.from_numpy(pixels).to(self._device)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._half):
            embeddings, probabilities = self._network(inputs)
        return as_encoded(
            embeddings.cpu().numpy()[: len(batch)],
            probabilities.cpu().numpy()[: len(batch)],
            self._classes,
        )


def as_encoded(
    embeddings: NDArray[np.float32], probabilities: NDArray[np.float32], classes: Sequence[str]
) -> list[Encoded]:
    """Pair embeddings [n, d] with the most probable of `classes`, from probabilities [n, c]."""
    if not classes:
        return [Encoded(row, None, None) for row in embeddings]
    best = probabilities.argmax(axis=1)
    return [
        Encoded(row, classes[c], float(p[c]))
        for row, p, c in zip(embeddings, probabilities, best, strict=True)
    ]


def choose_device(wanted: str) -> str:
    """Return "cuda" or "cpu" for "auto", "cuda" or "cpu".

    Raises:
        FashionrecError: "cuda" is wanted and torch sees no usable GPU.
    """
    available = torch.cuda.is_available()
    if wanted == "cuda" and not available:
        raise FashionrecError(
            "embed.device = 'cuda', but torch sees no usable GPU: check nvidia-smi and the driver, "
            "or set embed.device = 'auto'"
        )
    return "cuda" if available and wanted != "cpu" else "cpu"
