"""`benchmark embed`: the network alone, a bare loop with decoding, and the whole job."""

import os
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory

from fashionrec.benchmark.embed_job import Job
from fashionrec.benchmark.embed_loops import bare_loop, network_alone, pace_of
from fashionrec.benchmark.embed_parity import parity_of_reduced_decoding, parity_with_fp32
from fashionrec.benchmark.pictures import pictures_of_size, usable_pictures
from fashionrec.benchmark.report import Figures
from fashionrec.cli import Context
from fashionrec.config import project_home
from fashionrec.embed.encoder import Program
from fashionrec.embed.engines import choose_program
from fashionrec.embed.model import Model, load_model
from fashionrec.models import CURRENT, DEFAULT_MODEL
from fashionrec.sample import ensure_catalogue
from fashionrec.session import spark_session
from fashionrec.settings import EmbedSettings

Shape = tuple[int, int]  # width, height

SIZE = 6_000  # pictures of the fastest case; the others take fewer, and about as long
_PARITY = 300
_INPUTS: tuple[Shape, ...] = ((72, 96), (224, 224))
_LARGE: Shape = (1800, 2400)
# Shares of SIZE: for the networks alone by input, and for each case by pictures and input.
_NETWORKS = {"openvino": (1.0, 0.25), "torch": (0.2, 0.04)}
_CASES: dict[Shape, tuple[float, float]] = {
    (60, 80): (1.0, 0.25),
    (224, 224): (0.7, 0.25),
    _LARGE: (0.12, 0.1),
}
_IN_FULL = 0.02  # large pictures, decoded without reduction


def run(context: Context) -> Figures:
    """Measure with as many processes of one thread as Spark runs tasks."""
    wanted = DEFAULT_MODEL if context.config.model == CURRENT else context.config.model
    model = load_model(wanted, project_home())
    catalogue = context.catalogue or ensure_catalogue(context.sample, context.config.sample)
    spark, workers = spark_session("benchmark embed"), len(os.sched_getaffinity(0))
    size, settings = context.options.size or SIZE, context.config.embed
    figures: Figures = {"benchmark": "embed", "workers": workers, "model": model.version}
    programs = list(_engines(model, settings).values())
    figures |= parity_with_fp32(model, programs, usable_pictures(catalogue, _PARITY), workers)
    pictures = {shape: pictures_of_size(catalogue, shape) for shape in _CASES}
    with TemporaryDirectory(prefix="fashionrec-") as folder:
        job = Job(spark, Path(folder), settings, workers)
        bench = _Bench(settings, workers, size, pictures, job)
        for number, shape in enumerate(_INPUTS):
            figures |= bench.at_input(_sized(model, shape), number)
    return figures


def _engines(model: Model, settings: EmbedSettings) -> dict[str, Program]:
    cpu = settings.model_copy(update={"device": "cpu"})
    return {
        engine: choose_program(model, cpu.model_copy(update={"engine": engine}))
        for engine in _NETWORKS
    }


def _sized(model: Model, shape: Shape) -> Model:
    """Return the model with another input size: its speed, if not its sense."""
    change = {"width": shape[0], "height": shape[1]}
    fields = vars(model) | {"preprocessing": model.preprocessing.model_copy(update=change)}
    return Model(**(fields | {"version": f"{model.version}-{shape[1]}x{shape[0]}"}))


@dataclass(frozen=True)
class _Bench:
    settings: EmbedSettings
    workers: int
    size: int
    pictures: dict[Shape, list[bytes]]
    job: Job

    def at_input(self, model: Model, number: int) -> Figures:
        """Measure all that has an input of one size."""
        figures: Figures = {}
        name = f"at_{model.preprocessing.height}x{model.preprocessing.width}"
        for engine, program in _engines(model, self.settings).items():
            contents = self._drawn((60, 80), _NETWORKS[engine][number])
            pace = pace_of(network_alone, program, contents, self.workers)
            figures[f"{name}_network_{engine}_per_s"] = pace.per_s
        program = choose_program(model, self.settings)
        figures[f"{name}_engine"] = program.engine
        figures[f"{name}_network_per_s"] = max(
            figures[f"{name}_network_{engine}_per_s"] for engine in _NETWORKS
        )
        figures[f"{name}_job_fixed_s"] = fixed = self.job.start(model, self._few)
        for shape, shares in _CASES.items():
            case = f"{shape[0]}x{shape[1]}_{name}"
            contents = self._drawn(shape, shares[number])
            figures |= self._case(model, program, contents, case, fixed)
            figures |= _ratios(case, figures, figures[f"{name}_network_per_s"])
        return figures | self._in_full(program, f"{_LARGE[0]}x{_LARGE[1]}_{name}", figures)

    @property
    def _few(self) -> list[bytes]:
        """Pictures whose run shows the job's fixed costs."""
        return self.pictures[60, 80]

    def _drawn(self, shape: Shape, share: float) -> list[bytes]:
        return list(islice(cycle(self.pictures[shape]), int(self.size * share)))

    def _case(
        self, model: Model, program: Program, contents: list[bytes], case: str, fixed: float
    ) -> Figures:
        bare = pace_of(bare_loop, program, contents, self.workers)
        figures: Figures = {
            f"{case}_pictures": len(contents),
            f"{case}_decode_per_s": bare.decode_per_s,
            f"{case}_bare_loop_per_s": bare.per_s,
        }
        seconds = self.job.seconds(model, contents, figures, case)
        figures[f"{case}_job_per_s"] = (len(contents) - len(self._few)) / (seconds - fixed)
        return figures

    def _in_full(self, program: Program, case: str, figures: Figures) -> Figures:
        """Measure the bare loop without reduced decoding."""
        contents = self._drawn(_LARGE, _IN_FULL)
        pace = pace_of(partial(bare_loop, reduced=False), program, contents, self.workers)
        pictures = self.pictures[_LARGE]
        full: Figures = {
            f"{case}_bytes_per_picture": sum(map(len, pictures)) // len(pictures),
            f"{case}_full_decoding_bare_loop_per_s": pace.per_s,
            f"{case}_full_decoding_decode_per_s": pace.decode_per_s,
        }
        for what in ("bare_loop", "decode"):
            faster = figures[f"{case}_{what}_per_s"] / full[f"{case}_full_decoding_{what}_per_s"]
            full[f"{case}_reduced_decoding_{what}_faster"] = faster
        return full | parity_of_reduced_decoding(program, pictures, case, self.workers)


def _ratios(case: str, figures: Figures, network: float) -> Figures:
    """Relate the job to the bare loop, and that to the network and to what cores could do.

    On a CPU decoding and network share the cores: their times add up at best.
    """
    bare, decode = figures[f"{case}_bare_loop_per_s"], figures[f"{case}_decode_per_s"]
    return {
        f"{case}_job_to_bare_loop": figures[f"{case}_job_per_s"] / bare,
        f"{case}_bare_loop_to_network": bare / network,
        f"{case}_bare_loop_to_network_and_decoding": bare * (1 / network + 1 / decode),
    }
