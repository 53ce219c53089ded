"""A catalogue that one worker of a node makes ready for search, and all of them map."""

import fcntl
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save

from fashionrec.neighbours.items import Items, mapped_copy, prepare_items
from fashionrec.neighbours.lowering import Lowering
from fashionrec.paths import write_whole


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
    if not rest.exists():
        with vectors.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not rest.exists():
                _save(prepare_items(rows, ids, file=lowered), rest)
    found = load_file(rest)
    dtype = torch.bfloat16 if lowered.exists() else torch.float32
    lowering = Lowering(dtype, device, found["mean"])
    copy = mapped_copy(rows, lowering, lowered) if lowered.exists() else None
    return Items(rows, ids, ids, lowering, found["norms"], found["errors"], copy)


def _save(items: Items, file: Path) -> None:
    rest = {"mean": items.lowering.mean, "norms": items.norms, "errors": items.errors}
    write_whole(file, save(rest))
