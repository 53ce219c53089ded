"""A baseline that sees colours alone: histograms of pictures. No Spark."""

import numpy as np

from fashionrec.embed.decode import as_pixels
from fashionrec.embed.preprocessing import Preprocessing
from fashionrec.neighbours.lists import Floats

_LEVELS = 4  # per channel
_SMALL = Preprocessing(
    height=32, width=32, resize="stretch", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)
)


def colour_histogram(content: bytes) -> Floats:
    """Return the shares of 64 colours in a picture, square roots taken: float32 [64], unit length.

    The dot product of two is their Bhattacharyya coefficient.
    """
    levels = as_pixels(content, _SMALL).reshape(-1, 3).astype(np.int64) * _LEVELS // 256
    colours = levels @ np.array([_LEVELS * _LEVELS, _LEVELS, 1])
    counts = np.bincount(colours, minlength=_LEVELS**3)
    return np.asarray(np.sqrt(counts / counts.sum()), np.float32)
