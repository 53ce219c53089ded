"""Vectors structured like a network's embeddings of a catalogue, and the keys of such products."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_KINDS = 140  # article types
_FACTORS = 64  # what pictures of a kind differ by
_CHUNK = 4096


def draw_vectors(count: int, length: int, seed: int) -> Floats:
    """Unit vectors float32 [count, length]: kinds of unequal size, few factors, ReLU."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(_KINDS, 0.5))
    centres = rng.standard_normal((_KINDS, length), np.float32)
    factors = rng.standard_normal((_FACTORS, length), np.float32) / np.float32(np.sqrt(_FACTORS))
    vectors = np.empty((count, length), np.float32)
    for start in range(0, count, _CHUNK):
        part = vectors[start : start + _CHUNK]
        part[:] = centres[rng.choice(_KINDS, len(part), p=shares)]
        part += rng.standard_normal((len(part), _FACTORS), np.float32) @ factors
        part += np.float32(0.2) * rng.standard_normal(part.shape, np.float32)
        np.maximum(part, 0, out=part)
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return vectors


def keys_of(count: int, changed: int = 0) -> pa.Table:
    """Products 0 to `count` with a picture each; one in `changed` of them has got another."""
    new = [changed > 0 and i % changed == 0 for i in range(count)]
    shas = [f"{'new' if is_new else 'old'} picture {i}" for i, is_new in enumerate(new)]
    return pa.table({"product_id": np.arange(count), "image_sha256": shas})
