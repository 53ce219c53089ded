"""What a training goes on from: a file of tensors per epoch, and latest.json that names it.

Tensors are safetensors and checked by their hash, as all weights are here: nothing is unpickled.
"""

import json
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from fashionrec.errors import FashionrecError
from fashionrec.paths import write_whole

Tensors = dict[str, Tensor]


@dataclass
class Progress:
    """How far a training is: a line of figures per finished epoch, and the best one's number."""

    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = -1

    @property
    def epochs(self) -> int:
        """Finished epochs."""
        return len(self.history)


@dataclass(frozen=True)
class Checkpoints:
    """The folder of one training; only the first process writes to it."""

    folder: Path

    @property
    def _latest(self) -> Path:
        return self.folder / "latest.json"

    def save(self, progress: Progress, tensors: Tensors) -> None:
        """Write a checkpoint; until latest.json names it, the one before is in force."""
        name = f"epoch-{progress.epochs:04}.safetensors"
        document: dict[str, Any] = {
            "file": name,
            "sha256": write_tensors(self.folder / name, tensors),
        }
        document |= vars(progress)
        write_whole(self._latest, json.dumps(document, indent=1).encode())
        for older in self.folder.glob("epoch-*.safetensors"):
            if older.name != name:
                older.unlink()

    def progress(self) -> Progress:
        """Return how far the training is; a new one where there is no checkpoint."""
        document = self._document()
        return Progress(document["history"], document["best_epoch"]) if document else Progress()

    def tensors(self) -> Tensors:
        """Return the tensors of the last checkpoint.

        Raises:
            FashionrecError: the file is not the one that was written.
        """
        document = self._document()
        return read_tensors(self.folder / document["file"], document["sha256"])

    def _document(self) -> dict[str, Any]:
        return dict(json.loads(self._latest.read_bytes())) if self._latest.exists() else {}


def write_tensors(path: Path, tensors: Tensors) -> str:
    """Write a safetensors file and return its SHA-256."""
    content = safetensors.torch.save({k: v.contiguous() for k, v in tensors.items()})
    write_whole(path, content)
    return sha256(content).hexdigest()


def read_tensors(path: Path, sha256_: str) -> Tensors:
    """Return the tensors of a file.

    Raises:
        FashionrecError: it is not the file that was written.
    """
    content = path.read_bytes()
    if sha256(content).hexdigest() != sha256_:
        raise FashionrecError(f"{path}: is not the file that was written: begin the training anew")
    return safetensors.torch.load(content)
