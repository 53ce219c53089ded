"""A catalogue that one worker of a node makes ready for search, and all of them map."""

import fcntl
import os
from pathlib import Path

import numpy as np
import torch

from fashionrec.neighbours.items import Items, lowered_copy, prepare_items


def shared_items(vectors: Path, device: torch.device) -> Items:
    """The rows of a file of vectors, numbered from 0, as items.

    On a CPU what they are lowered to is a file beside it, which whoever comes first writes: memory
    holds it once, and the system may take that memory back. A GPU has a copy for each worker.
    """
    rows = np.load(vectors, mmap_mode="r")
    ids = np.arange(len(rows))
    if device.type != "cpu":
        return prepare_items(rows, ids, device=str(device))
    lowered, rest = vectors.with_suffix(".lowered"), vectors.with_suffix(".norms")
    with vectors.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not rest.exists():
            items = prepare_items(rows, ids, file=lowered)
            _save((items.lowering, items.norms, items.errors), rest)
            return items
    lowering, norms, errors = torch.load(rest, weights_only=False)
    return Items(rows, ids, ids, lowering, norms, errors, lowered_copy(rows, lowering, lowered))


def _save(what: object, file: Path) -> None:
    """Write a file that is there whole or not at all."""
    part = file.with_suffix(".part")
    torch.save(what, part)
    os.replace(part, file)
