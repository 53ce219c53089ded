"""Networks that are easy to predict. Workers import this file: see test_frames.py."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fashionrec.embed.decode import Pixels
from fashionrec.embed.encoder import Encoded
from fashionrec.embed.preprocessing import Preprocessing

loads: Counter[str] = Counter()  # in this process
_ONE_PIXEL = Preprocessing(height=1, width=1, resize="stretch", mean=(0, 0, 0), std=(1, 1, 1))


@dataclass(frozen=True)
class FakeProgram:
    """A network that returns what `kind` says of each picture."""

    kind: str
    batch_size: int = 4
    engine: str = "fake"
    preprocessing: Preprocessing = _ONE_PIXEL

    @property
    def key(self) -> str:
        return self.kind

    def load(self, threads: int, gpu: int | None = None) -> "FakeEncoder":  # noqa: ARG002
        loads[self.key] += 1
        return FakeEncoder(self, threads)


@dataclass
class FakeEncoder:
    program: FakeProgram
    threads: int

    @property
    def batch_size(self) -> int:
        return self.program.batch_size

    def encode(self, batch: Sequence[Pixels]) -> list[Encoded]:
        values = [int(picture[0, 0, 0]) for picture in batch]
        if self.program.kind == "raises on 13" and 13 in values:
            raise ValueError("13 is unlucky")
        answers = {"batch size": len(batch), "loads": loads["loads"], "threads": self.threads}
        numbers = [answers.get(self.program.kind, value) for value in values]
        return [Encoded(np.array([n], np.float32), f"grey {n}", 0.5) for n in numbers]
