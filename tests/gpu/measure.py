"""Print what a GPU does, as a table and as one JSON object; exit 1 where a bound is missed.

`tests/gpu/run.sh` starts it. With `cpu` it tries itself out, at small sizes.
"""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from gpu_checks import describe, embed_loops, neighbour_kernel, parity, program_for
from gpu_training import training

from fashionrec.benchmark.report import Figures, print_figures
from fashionrec.embed.model import load_model
from fashionrec.models import DEFAULT_MODEL
from fashionrec.sample import draw_catalogue

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Sizes:
    """How much is measured: products of the sample, pictures, and vectors of some length."""

    products: int
    parity: int
    loop: int
    vectors: int
    length: int
    training: int


SIZES = {
    "cuda": Sizes(600, parity=500, loop=20_000, vectors=20_000, length=2_048, training=570),
    "cpu": Sizes(150, parity=64, loop=200, vectors=2_000, length=256, training=120),
}


def measure(device: str, sizes: Sizes, folder: Path) -> Figures:
    """Measure everything, in `folder`, which is empty."""
    catalogue, threads = folder / "catalogue", len(os.sched_getaffinity(0))
    draw_catalogue(catalogue, products=sizes.products, seed=7)
    model = load_model(DEFAULT_MODEL, ROOT)
    program = program_for(model, device)
    figures = describe(device) | {"model": model.version}
    figures |= parity(program, catalogue, sizes.parity, threads)
    figures |= embed_loops(program, catalogue, sizes.loop, threads)
    figures |= neighbour_kernel(device, sizes.vectors, sizes.length)
    ranks = torch.cuda.device_count() if device == "cuda" else 1
    work = folder / "training"
    work.mkdir()
    return figures | training(model, catalogue, work, device, ranks, sizes.training)


def missed(figures: Figures) -> Iterator[str]:
    """Say which bounds the figures miss."""
    if not figures["parity_cosine_least"] >= 0.999:
        yield f"parity_cosine_least is {figures['parity_cosine_least']:.5f}, below 0.999"
    for name, value in figures.items():
        if name.endswith(("_wrong", "_problems")) and value:
            yield f"{name} is {value}: it must be 0"
    if not figures["training_last_loss"] < figures["training_first_loss"]:
        yield "the loss of the second epoch is not below that of the first"


def main(device: str) -> int:
    """Measure, print, and return the exit status."""
    if device not in SIZES:
        return _fail(f"DEVICE={device}: give cuda or cpu")
    if device == "cuda" and not torch.cuda.is_available():
        return _fail(
            "torch sees no usable GPU: check nvidia-smi and the driver, or try the script itself "
            "out with DEVICE=cpu"
        )
    with TemporaryDirectory(prefix="fashionrec-") as folder:
        figures = measure(device, SIZES[device], Path(folder))
    wrong = list(missed(figures))
    print_figures(figures | {"missed": wrong})
    return _fail("; ".join(wrong)) if wrong else 0


def _fail(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "cuda"))
