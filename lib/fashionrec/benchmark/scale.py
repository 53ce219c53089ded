"""`benchmark scale`: how the seconds and the memory of each step grow with products and cores."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from fashionrec.benchmark.growth import draw_growth, growth
from fashionrec.benchmark.inverted import time_inverted
from fashionrec.benchmark.report import Figures, Timings, peak_memory, seconds_of
from fashionrec.benchmark.shop import draw_shop, write_small_model
from fashionrec.benchmark.vectors import draw_vectors
from fashionrec.cli import Context
from fashionrec.config import load
from fashionrec.embed.embed import embed
from fashionrec.embed.model import Model
from fashionrec.errors import FashionrecError
from fashionrec.ingest.ingest import ingest
from fashionrec.models import DEFAULT_MODEL, current_model
from fashionrec.neighbours.lowering import keep_few_kernels
from fashionrec.neighbours.neighbours import neighbours
from fashionrec.publish import publish
from fashionrec.runs import Run, recorded
from fashionrec.session import spark_session
from fashionrec.settings import NeighbourSettings
from fashionrec.store import Store
from fashionrec.tables import EMBEDDINGS

log = logging.getLogger(__name__)

SIZES = (10_000, 44_441, 200_000, 1_000_000)
_CORES = (1, 2)
_LENGTH = 512  # of an embedding
_CHANGED = 100  # one in so many, in the incremental night
_REAL = 2_000  # pictures for the real network: a rate needs no more
_STEPS = ("ingest", "embed", "neighbours", "inverted", "publish", "next_night")
_Step = Callable[[Run], object]
_ONE = "import sys; from fashionrec.benchmark.scale import measure; measure(*sys.argv[1:])"


def run(context: Context) -> Figures:
    """Measure every size and number of cores in a process of its own; --size: the largest one.

    Pictures are noise of 32x24, which a small network of random weights makes embeddings of 512
    numbers; what is searched then are drawn vectors, structured like a catalogue's. `real_embed` is
    the default model on 2,000 of the pictures. Of several sizes come what fits them (`growth`),
    and a chart where --plot names a file.
    """
    options = context.options
    sizes = [size for size in SIZES if size <= (options.size or SIZES[-1])] or [options.size]
    numbers = _CORES[: len(os.sched_getaffinity(0))]
    measured = [_apart(size, cores) for cores in numbers for size in sizes]
    if options.plot:
        draw_growth(measured, _STEPS, options.plot)
    return summarize(measured)


def summarize(measured: list[Figures]) -> Figures:
    """Return the figures of several sizes and numbers of cores as one, and how they grow."""
    figures: Figures = {"benchmark": "scale", "length": _LENGTH}
    for cores in sorted({one["cores"] for one in measured}):
        runs = [one for one in measured if one["cores"] == cores]
        told = {f"n={one['n']}: {name}": value for one in runs for name, value in one.items()}
        for step in _STEPS:
            told |= growth(runs, step)
        figures |= {f"{cores} core(s), {name}": value for name, value in told.items()}
    return figures


def _apart(size: int, cores: int) -> Figures:
    """Measure in a process that has so many cores, its JVM included."""
    options = os.environ.get("PYSPARK_SUBMIT_ARGS", "pyspark-shell").split()
    if "--master" in options:
        options[options.index("--master") + 1] = f"local[{cores}]"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYSPARK_GATEWAY")}
    environment["PYSPARK_SUBMIT_ARGS"] = " ".join(options)
    environment["OMP_NUM_THREADS"] = str(cores)  # threads that wait for a core spin on it
    words = [sys.executable, "-c", _ONE, str(size), str(cores)]
    done = subprocess.run(words, env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise FashionrecError(f"benchmark scale: {size:,} products on {cores} core(s) failed")
    told = done.stdout.splitlines()[-1]
    log.info("scale: %s", told)  # at once: a larger size that fails would take it along
    return dict(json.loads(told))


def measure(products: str, cores: str) -> None:
    """Measure one size in this process, on its first cores, and print the figures as JSON."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    count = int(products)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(cores)])
    figures: Figures = {"n": count, "cores": int(cores)}
    with TemporaryDirectory(prefix="fashionrec-") as folder:
        night = _Night(Path(folder) / "whole", figures)
        night.run(count)
        few = _Night(Path(folder) / "real", {}, DEFAULT_MODEL)
        few.run_until_embedded(_REAL)
        figures |= {f"real_{name}": value for name, value in few.figures.items()}
    print(json.dumps(figures))


def _inverted(settings: NeighbourSettings, count: int) -> Figures:
    keep_few_kernels()  # as executors do
    report = Timings()
    found = time_inverted(report, settings, count, _LENGTH)
    seconds = sum(report.seconds.values())
    return {"inverted_s": seconds, "inverted_recall": found["recall_1m"]}


class _Night:
    """The steps of a night over a drawn shop, each timed."""

    def __init__(self, folder: Path, figures: Figures, model: str = "") -> None:
        folder.mkdir()
        self.folder, self.figures = folder, figures
        model = model or str(write_small_model(folder / "model"))
        self.config = load(overrides=[f"model={model}"])
        self.store = Store(spark_session("benchmark scale"), folder / "warehouse")

    def run_until_embedded(self, count: int) -> None:
        draw_shop(self.folder, count)
        self._timed("ingest", self._ingest)
        self._timed("embed", self._embed)

    def run(self, count: int) -> None:
        self.run_until_embedded(count)
        self._replace_embeddings()
        self._time_inverted(count)
        self._timed("neighbours", self._neighbours)
        self._timed("publish", self._publish)
        draw_shop(self.folder, count, changed=_CHANGED)
        self._timed("next_night", self._night)

    def _timed(self, name: str, *steps: _Step) -> None:
        with peak_memory(self.figures, f"{name}_mb"):
            self.figures[f"{name}_s"] = seconds_of(lambda: self._run(*steps))
        log.info("scale: %s in %.1f s", name, self.figures[f"{name}_s"])

    def _run(self, *steps: _Step) -> None:
        with recorded(self.store, "benchmark") as run:
            for step in steps:
                step(run)

    def _ingest(self, run: Run) -> None:
        config = self.config
        ingest(
            self.store,
            self.folder / "catalogue",
            config.ingest,
            run,
            fetching=config.fetch,
            expectations=config.expectations,
        )

    def _embed(self, run: Run) -> None:
        embed(self.store, self._model, self.config.embed, run)

    def _neighbours(self, run: Run) -> None:
        neighbours(self.store, self._model.version, self.config.neighbours, run)

    def _publish(self, run: Run) -> None:
        publish(self.store, self._model.version, self.config, run)

    def _night(self, run: Run) -> None:
        for step in (self._ingest, self._embed, self._neighbours, self._publish):
            step(run)

    @cached_property
    def _model(self) -> Model:
        return current_model(self.store, self.config.model)

    def _time_inverted(self, count: int) -> None:
        """Time inverted lists alone, at sizes that a night still searches exactly as well."""
        settings = self.config.neighbours
        similar = {"lists": {"similar": settings.lists["similar"]}}
        past = {"exact_up_to": min(settings.exact_up_to, count // 2)}
        cut = settings.model_copy(update=similar | past)
        # In a process of its own: what it leaves in memory would be counted for the next steps.
        apart = ProcessPoolExecutor(1, get_context("spawn"))
        with peak_memory(self.figures, "inverted_mb"), apart:
            self.figures |= apart.submit(_inverted, cut, count).result()

    def _replace_embeddings(self) -> None:
        """Put drawn vectors in the place of those of a network that has learnt nothing."""
        state = self.store.state(EMBEDDINGS)
        rows = self.store.scan(EMBEDDINGS, EMBEDDINGS.names).to_table()
        flat = pa.array(draw_vectors(len(rows), _LENGTH, seed=0).reshape(-1))
        ends = np.arange(0, len(flat) + 1, _LENGTH, dtype=np.int32)
        place, field = rows.schema.get_field_index("embedding"), rows.schema.field("embedding")
        vectors = pa.ListArray.from_arrays(ends, flat).cast(field.type)
        self.store.rewrite(EMBEDDINGS, rows.set_column(place, field, vectors), state)
