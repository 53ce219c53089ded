"""What every engine offers: batches of pixels in, embeddings out. No Spark, no torch."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fashionrec.embed.decode import Pixels
from fashionrec.embed.preprocessing import Preprocessing

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Encoded:
    """A picture's embedding, float32 [d] of unit length, and its most probable class, if any.

    probabilities: of all classes [c], in the model's order; empty where it has none.
    """

    embedding: Floats
    article_type: str | None
    probability: float | None
    probabilities: Floats = field(default_factory=lambda: np.empty(0, np.float32), repr=False)


class Encoder(Protocol):
    """A network loaded in this process, for batches of up to `batch_size` pictures.

    It is used by one thread at a time.
    """

    batch_size: int

    def encode(self, batch: Sequence[Pixels]) -> list[Encoded]:
        """Return one result per picture, in order."""
        ...


class Program(Protocol):
    """A network as it is sent to executors."""

    @property
    def key(self) -> str:
        """Model version and engine: what a worker must load anew."""
        ...

    @property
    def engine(self) -> str:
        """Engine, precision and device: what may make the last bits of an embedding differ."""
        ...

    @property
    def batch_size(self) -> int:
        """Pictures per pass of the network."""
        ...

    @property
    def preprocessing(self) -> Preprocessing:
        """What a picture has to be turned into."""
        ...

    def load(self, threads: int, gpu: int | None = None) -> Encoder:
        """Load the network into this process, on so many threads or on the GPU of that address."""
        ...


def full_batch(batch: Sequence[Pixels], size: int) -> Pixels:
    """Return uint8 [size, height, width, 3], black behind the batch.

    A picture's numbers must not depend on how many others came along, so every batch is full.
    """
    pixels = np.zeros((size, *batch[0].shape), np.uint8)
    pixels[: len(batch)] = batch
    return pixels


def as_encoded(
    embeddings: Floats, probabilities: Floats, classes: Sequence[str], count: int
) -> list[Encoded]:
    """Pair the first `count` embeddings [n, d] with their most probable class of [n, c]."""
    if not classes:
        return [Encoded(row, None, None) for row in embeddings[:count]]
    best = probabilities[:count].argmax(axis=1)
    return [
        Encoded(embeddings[i], classes[c], float(probabilities[i, c]), probabilities[i])
        for i, c in enumerate(best)
    ]
