"""The engine for CPUs: OpenVINO reaches the processor's bfloat16 peak where torch does not."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from fashionrec.embed.decode import Pixels
from fashionrec.embed.encoder import Encoded, as_encoded, full_batch
from fashionrec.embed.preprocessing import Preprocessing

# OpenVINO reports its own import over the network where this package of its own is there; without
# it, it does not.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]

import openvino as ov  # noqa: E402


@dataclass(frozen=True)
class OpenVinoProgram:
    """A model version converted for OpenVINO: workers need neither torch nor a conversion."""

    version: str
    preprocessing: Preprocessing
    classes: tuple[str, ...]
    batch_size: int
    precision: str
    xml: bytes = field(repr=False)
    weights: bytes = field(repr=False)

    @property
    def key(self) -> str:
        """Model version and engine."""
        return f"{self.version} {self.engine} {self.batch_size}"

    @property
    def engine(self) -> str:
        """Engine, precision and device."""
        return f"openvino {self.precision} cpu"

    def load(self, threads: int, gpu: int | None = None) -> "OpenVinoEncoder":  # noqa: ARG002
        """Compile the network in this process."""
        return OpenVinoEncoder(self, threads)


class OpenVinoEncoder:
    """A network compiled for this processor and one size of batch."""

    def __init__(self, program: OpenVinoProgram, threads: int) -> None:
        self.batch_size = program.batch_size
        self._classes = program.classes
        core = ov.Core()
        options = {
            "INFERENCE_PRECISION_HINT": program.precision,
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            # Every worker would pin its threads to the same first cores.
            "ENABLE_CPU_PINNING": False,
        }
        network = core.read_model(program.xml, program.weights)
        self._network: Any = core.compile_model(network, "CPU", options)

    def encode(self, batch: Sequence[Pixels]) -> list[Encoded]:
        """Return one result per picture, in order."""
        outputs = self._network([full_batch(batch, self.batch_size)])
        embeddings, probabilities = np.array(outputs[0]), np.array(outputs[1])
        return as_encoded(embeddings, probabilities, self._classes, len(batch))


def openvino_program(model: Any, batch_size: int) -> OpenVinoProgram:
    """Convert a `Model` for batches of a fixed size."""
    import torch  # only the driver converts

    from fashionrec.embed.network import load_network

    size = [model.preprocessing.height, model.preprocessing.width, 3]
    example = torch.zeros([1, *size], dtype=torch.uint8)  # it is run, so one picture is enough
    network = ov.convert_model(load_network(model), example_input=example)
    network.reshape({0: [batch_size, *size]})
    xml, weights = _serialised(network)
    precision = "bf16" if "BF16" in _capabilities() else "f32"
    return OpenVinoProgram(
        version=model.version,
        preprocessing=model.preprocessing,
        classes=model.classes,
        batch_size=batch_size,
        precision=precision,
        xml=xml,
        weights=weights,
    )


def _serialised(network: Any) -> tuple[bytes, bytes]:
    with TemporaryDirectory(prefix="fashionrec-") as folder:
        path = Path(folder) / "network.xml"
        ov.save_model(network, path, compress_to_fp16=False)  # it would round the weights
        return path.read_bytes(), path.with_suffix(".bin").read_bytes()


def _capabilities() -> list[str]:
    return list(ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
