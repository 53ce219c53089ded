"""How long the web page takes to encode a picture and to find its like, warm, without Streamlit."""

import io
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image

from fashionrec.benchmark.report import Figures
from fashionrec.benchmark.vectors import draw_vectors
from fashionrec.cli import Context
from fashionrec.config import project_home
from fashionrec.dashboard.encoding import PictureEncoder
from fashionrec.embed.model import load_model
from fashionrec.models import DEFAULT_MODEL
from fashionrec.neighbours.searchable import Searchable, lay_out

_CATALOGUE = 44_441  # the whole catalogue that the study used
_LENGTH, _K, _ROUNDS = 2048, 5, 40
_PICTURE = (1080, 1440)  # what a phone or a shop's site sends


def run(context: Context) -> Figures:
    """Measure milliseconds of both, and of both together, medians and 95th percentiles.

    Under the filter a tenth of the products may be found.
    """
    threads = len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    count = context.options.size or _CATALOGUE
    model = PictureEncoder(load_model(DEFAULT_MODEL, project_home()), context.config)
    content = _picture()
    with TemporaryDirectory(prefix="fashionrec-") as folder:
        searchable = _searchable(Path(folder), count)
        vector = model.encode(content).embedding
        among = np.arange(count) % 10 == 0
        figures: Figures = {"benchmark": "dashboard", "threads": threads, "n": count}
        figures |= _timed("encode", lambda: model.encode(content))
        figures |= _timed("search", lambda: searchable.nearest(vector, _K))
        figures |= _timed("search, filtered", lambda: searchable.nearest(vector, _K, among))
        both = _timed("both", lambda: searchable.nearest(model.encode(content).embedding, _K))
    return figures | both


def _timed(name: str, action: Callable[[], object]) -> Figures:
    action()  # warm
    took = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        action()
        took.append(1_000 * (time.perf_counter() - began))
    took.sort()
    return {
        f"{name}, ms": statistics.median(took),
        f"{name}, 95th percentile, ms": took[int(0.95 * len(took))],
    }


def _searchable(folder: Path, count: int) -> Searchable:
    np.save(folder / "drawn.npy", draw_vectors(count, _LENGTH, seed=0))
    ids = np.arange(count)
    lay_out(folder, "drawn", folder / "drawn.npy", ids, ids)
    return Searchable(folder)


def _picture() -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (48, 36, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).resize(_PICTURE, Image.Resampling.BICUBIC).save(buffer, "JPEG")
    return buffer.getvalue()
