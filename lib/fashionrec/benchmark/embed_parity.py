"""How close embeddings are to those of the plain network in fp32, or of full decoding."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from fashionrec.benchmark.report import Figures
from fashionrec.embed.decode import Pixels, as_pixels
from fashionrec.embed.encoder import Program
from fashionrec.embed.model import Model
from fashionrec.embed.network import load_network

Floats = NDArray[np.float32]

_BATCH = 32


def parity_with_fp32(
    model: Model, programs: Sequence[Program], contents: list[bytes], threads: int
) -> Figures:
    """Compare each engine with the plain network in fp32, over the same pictures."""
    pixels = [as_pixels(content, model.preprocessing) for content in contents]
    wanted = _plain(model, pixels)
    figures: Figures = {"parity_pictures": len(contents)}
    for program in programs:
        found = _encoded(program, pixels, threads)
        figures |= _cosines(f"parity_{program.engine.replace(' ', '_')}", found, wanted)
    return figures


def parity_of_reduced_decoding(
    program: Program, contents: list[bytes], case: str, threads: int
) -> Figures:
    """Compare embeddings of JPEGs decoded at reduced scale with those of full decoding."""
    reduced, full = (
        [as_pixels(content, program.preprocessing, reduced=choice) for content in contents]
        for choice in (True, False)
    )
    one, other = (_encoded(program, pixels, threads) for pixels in (reduced, full))
    return _cosines(f"{case}_reduced_decoding", one, other)


def _plain(model: Model, pixels: list[Pixels]) -> Floats:
    network = load_network(model)
    with torch.inference_mode():
        parts = [
            network(torch.from_numpy(np.stack(pixels[i : i + _BATCH])))[0].numpy()
            for i in range(0, len(pixels), _BATCH)
        ]
    return np.concatenate(parts)


def _encoded(program: Program, pixels: list[Pixels], threads: int) -> Floats:
    encoder, size = program.load(threads), program.batch_size
    batches = (pixels[i : i + size] for i in range(0, len(pixels), size))
    return np.stack([one.embedding for batch in batches for one in encoder.encode(batch)])


def _cosines(name: str, one: Floats, other: Floats) -> Figures:
    cosines = np.einsum("ij,ij->i", one, other)
    return {
        f"{name}_cosine_mean": float(cosines.mean()),
        f"{name}_cosine_worst_1_percent": float(np.quantile(cosines, 0.01)),
        f"{name}_cosine_least": float(cosines.min()),
    }
