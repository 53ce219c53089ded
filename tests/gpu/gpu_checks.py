"""What is measured on a GPU without Spark, each with the CPU beside it: figures by name."""

import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import torch

from fashionrec.benchmark.embed_parity import parity_with_fp32
from fashionrec.benchmark.pictures import pictures_of_size, usable_pictures
from fashionrec.benchmark.report import Figures, seconds_of
from fashionrec.benchmark.vectors import draw_vectors
from fashionrec.embed.decode import Pixels, as_pixels
from fashionrec.embed.encode import encode_pictures
from fashionrec.embed.encoder import Encoded, Encoder
from fashionrec.embed.torch_engine import GPU_PRECISION, TorchProgram, cpu_precision
from fashionrec.neighbours.exact import brute_force
from fashionrec.neighbours.items import Items, prepare_items
from fashionrec.neighbours.lists import Floats, TopK
from fashionrec.neighbours.topk import lower_items, self_top_k, top_k

_SHAPES = ((60, 80), (1800, 2400))  # width, height: as the catalogue's small ones, and a camera's
_QUERIES = 256  # whose scores are looked at together


def describe(device: str) -> Figures:
    """Which device, driver and torch these figures are of."""
    told: Figures = {"device": device, "torch": torch.__version__, "cuda": torch.version.cuda}
    if device == "cuda":
        gpu = torch.cuda.get_device_properties(0)
        query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        said = subprocess.run(query, capture_output=True, text=True, check=True).stdout
        told |= {"gpus": torch.cuda.device_count(), "gpu": gpu.name, "driver": said.split()[0]}
        told["gpu_memory_gb"] = gpu.total_memory / 1e9
    return told


def program_for(model, device: str, batch_size: int = 32) -> TorchProgram:
    """The torch engine in the precision that nights give it on this device."""
    precision = GPU_PRECISION if device == "cuda" else cpu_precision()
    return TorchProgram(model, device, precision, batch_size)


def parity(program: TorchProgram, catalogue: Path, count: int, threads: int) -> Figures:
    """Cosines of embeddings with those of the plain network in float32 on the CPU."""
    contents = usable_pictures(catalogue, count)
    figures = parity_with_fp32(program.model, [program], contents, threads)
    prefix = f"parity_{program.engine.replace(' ', '_')}"
    return {"engine": program.engine} | {
        name.replace(prefix, "parity"): value for name, value in figures.items()
    }


@dataclass
class Watched:
    """An encoder, and the seconds in which no batch was with it."""

    encoder: Encoder
    waited: float = 0.0

    def __post_init__(self) -> None:
        self.batch_size, self._since = self.encoder.batch_size, time.perf_counter()

    def encode(self, batch: Sequence[Pixels]) -> list[Encoded]:
        """Encode, and note for how long there was nothing to encode."""
        self.waited += time.perf_counter() - self._since
        try:
            return self.encoder.encode(batch)
        finally:
            self._since = time.perf_counter()


def embed_loop(program: TorchProgram, contents: list[bytes], threads: int) -> Figures:
    """The job's loop, decoding overlapped: pictures per second, and the share of waiting."""
    decode = partial(as_pixels, preprocessing=program.preprocessing)
    encoder = program.load(threads)
    encoder.encode([decode(contents[0])])  # kernels are chosen once
    watched, began = Watched(encoder), time.perf_counter()
    results = encode_pictures(enumerate(contents), decode, watched, threads)
    problems = sum(isinstance(result, str) for _, result in results)
    seconds = time.perf_counter() - began
    return {
        "per_s": len(contents) / seconds,
        "waiting_share": watched.waited / seconds,
        "problems": problems,
    }


def embed_loops(program: TorchProgram, catalogue: Path, count: int, threads: int) -> Figures:
    """The loop over small and, a tenth as many, large pictures."""
    figures: Figures = {"embed_threads": threads}
    for part, shape in zip((1, 10), _SHAPES, strict=True):
        contents = list(islice(cycle(pictures_of_size(catalogue, shape)), max(count // part, 1)))
        found = embed_loop(program, contents, threads)
        case = f"embed_{shape[0]}x{shape[1]}"
        figures |= {f"{case}_{name}": value for name, value in found.items()}
    return figures


def neighbour_kernel(device: str, count: int, length: int, k: int = 8) -> Figures:
    """Lists of drawn vectors, float32 [count, length], by both ways that nights search."""
    vectors = draw_vectors(count, length, seed=3)
    figures: Figures = {"neighbours_vectors": count}
    for place in dict.fromkeys([device, "cpu"]):
        items = prepare_items(vectors, np.arange(count), device=place)
        figures[f"neighbours_{place}_precision"] = str(items.lowering.dtype).removeprefix("torch.")
        for name, search in (("each_once", self_top_k), ("tiles", by_tiles)):
            search(prepare_items(vectors[:64], np.arange(64), device=place), k)  # kernels, once
            found: list[TopK] = []
            seconds = seconds_of(lambda s=search, i=items, f=found: f.append(s(i, k)))
            figures[f"neighbours_{place}_{name}_s"] = seconds
            figures[f"neighbours_{place}_{name}_wrong"] = wrong_lists(vectors, found[0], place)
    return figures


def by_tiles(items: Items, k: int, tile: int = 1024) -> TopK:
    """Search as executors do: tiles of rows that are lowered already."""
    rows = np.arange(len(items.ids))
    lowered = lower_items(items, rows)
    return top_k(
        items.vectors, items.ids, items, k, rows=rows, lowered=lowered, tile=(tile, 8 * tile)
    )


def wrong_lists(vectors: Floats, found: TopK, device: str = "cpu") -> int:
    """How many lists of vectors with ids 0, 1, ... are not those of float64.

    A product in float64 finds suspects: similarities that differ, or not exactly k items that
    reach the last place's. The definition itself, a query at a time, judges those.
    """
    exact = torch.from_numpy(vectors).to(device).double()
    suspects = [
        row for start in range(0, len(vectors), _QUERIES) for row in _suspects(exact, found, start)
    ]
    ids = np.arange(len(vectors))
    lists, similarities = brute_force(
        vectors[suspects], np.array(suspects, np.int64), vectors, ids, found.ids.shape[1]
    )
    same = (lists == found.ids[suspects]) & (similarities == found.similarities[suspects])
    return int((~same.all(1)).sum())


def _suspects(exact: torch.Tensor, found: TopK, start: int) -> list[int]:
    part = slice(start, start + _QUERIES)
    scores = (exact[part] @ exact.T).clip(-1, 1).float()
    rows = torch.arange(len(scores), device=scores.device)
    scores[rows, rows + start] = -torch.inf
    listed = torch.from_numpy(found.ids[part]).to(scores.device)
    told = torch.from_numpy(found.similarities[part]).to(scores.device)
    differ = (scores.gather(1, listed.clip(min=0)) != told).any(1)
    crowded = (scores >= told[:, -1:]).sum(1) != listed.shape[1]
    return (start + torch.nonzero(differ | crowded)[:, 0]).tolist()
