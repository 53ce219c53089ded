"""What vectors and ids must be to be searched."""

import numpy as np
import torch

from fashionrec.neighbours.lists import Floats, Ints

# Past this norm the slack of `certificate` no longer covers float64 summation.
MAX_NORM = 256.0


def check_vectors(name: str, vectors: Floats, ids: Ints) -> None:
    """Raise ValueError unless vectors are float32 [n, d] with an int64 id each."""
    if vectors.ndim != 2 or vectors.dtype != np.float32 or not vectors.shape[1]:
        raise ValueError(f"{name} must be float32 [n, d]; they are {vectors.dtype} {vectors.shape}")
    if ids.shape != (len(vectors),) or ids.dtype != np.int64:
        raise ValueError(
            f"{len(vectors)} {name} need as many int64 ids; there are {ids.shape} {ids.dtype}"
        )
    if len(ids) and ids.min() < 0:
        raise ValueError(f"{name} have the id {ids.min()}; ids start at 0, as -1 pads the lists")


def check_norms(name: str, index: Ints, norms: torch.Tensor) -> None:
    """Raise ValueError naming the first row, by `index`, of a norm that is not at most MAX_NORM."""
    bad = torch.nonzero(~(norms <= MAX_NORM))
    if len(bad):
        row = int(bad[0])
        raise ValueError(
            f"{name} row {index[row]} has norm {norms[row]:.4g}, not {MAX_NORM} at most"
        )


def check_unique(ordered: Ints) -> None:
    """Raise ValueError naming an id that ascending ids have twice."""
    twice = np.flatnonzero(ordered[1:] == ordered[:-1])
    if len(twice):
        raise ValueError(f"item id {ordered[twice[0]]} is there more than once")
