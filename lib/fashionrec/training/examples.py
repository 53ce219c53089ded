"""Pictures with labels on their way to the network: drawn in random order, counted, decoded ahead.

No Spark, no petastorm: whatever yields examples will do.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fashionrec.embed.decode import Pixels
from fashionrec.embed.encode import Seconds, decoded_ahead
from fashionrec.errors import FashionrecError

NO_LABEL = -100  # what torch's cross_entropy ignores
_BATCHES_AHEAD = 2


@dataclass(frozen=True)
class Example:
    """A picture's bytes, and the index of its class for each head: int64 [heads]."""

    product_id: int
    content: bytes
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class Batch:
    """uint8 [n, height, width, 3] and int64 [n, heads]."""

    pixels: Tensor
    labels: Tensor


def shuffled(examples: Iterable[Example], waiting: int, seed: int) -> Iterator[Example]:
    """Draw examples at random from `waiting` ones, which the stream refills."""
    draw = np.random.default_rng(seed)
    stream = iter(examples)
    pool = list(islice(stream, waiting))
    for example in stream:
        i = int(draw.integers(len(pool)))
        drawn, pool[i] = pool[i], example
        yield drawn
    for i in draw.permutation(len(pool)):
        yield pool[i]


def batch_sizes(rows: int, steps: int) -> list[int]:
    """Cut rows into so many batches that differ by a row at most.

    With the steps of the largest share all ranks take the same number of steps, and none gets a
    last batch of one row, which batch normalisation could not use.
    """
    return [rows // steps + (step < rows % steps) for step in range(steps)]


def batches(
    examples: Iterable[Example],
    sizes: Sequence[int],
    decode: Callable[[bytes], Pixels],
    threads: int,
) -> Iterator[Batch]:
    """Decode examples ahead, and cut them into batches of exactly these sizes.

    Raises:
        FashionrecError: there are fewer or more examples than that, or one cannot be decoded.
    """
    ahead = _BATCHES_AHEAD * max(sizes, default=1)
    keyed = ((example, example.content) for example in examples)
    with ThreadPoolExecutor(threads) as pool:
        decoded = decoded_ahead(keyed, decode, pool, ahead, Seconds())
        for size in sizes:
            yield _batch(list(islice(decoded, size)), size, sum(sizes))
        if next(decoded, None) is not None:
            raise FashionrecError(
                f"training_set: the reader returned more than the {sum(sizes)} rows of this share"
            )


def _batch(portion: list[tuple[Example, Pixels | str]], size: int, total: int) -> Batch:
    if len(portion) != size:
        raise FashionrecError(
            f"training_set: the reader returned fewer than the {total} rows of this share"
        )
    for example, pixels in portion:
        if isinstance(pixels, str):
            raise FashionrecError(f"training_set: product {example.product_id}: {pixels}")
    return Batch(
        torch.from_numpy(np.stack([pixels for _, pixels in portion])),
        torch.from_numpy(np.stack([example.labels for example, _ in portion])),
    )
