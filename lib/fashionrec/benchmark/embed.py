"""`benchmark embed`: the network alone, a bare loop with decoding, and the whole job."""

import io
import multiprocessing
import os
import time
from collections.abc import Callable
from functools import partial
from itertools import cycle, islice
from multiprocessing.synchronize import Barrier
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from pyspark.sql import SparkSession

from fashionrec.benchmark.report import Figures, peak_memory, seconds_of
from fashionrec.cli import Context
from fashionrec.config import project_home
from fashionrec.embed.decode import as_pixels
from fashionrec.embed.encode import encode_pictures
from fashionrec.embed.encoder import Program
from fashionrec.embed.engines import choose_program
from fashionrec.embed.frames import encoded, send
from fashionrec.embed.model import Model, load_model
from fashionrec.models import CURRENT, DEFAULT_MODEL
from fashionrec.sample import ensure_catalogue
from fashionrec.session import spark_session

SIZE = 4_000  # pictures of 60x80; larger ones take fewer, so that each case takes about as long
# Width and height of the pictures, width and height of the input, and the share of SIZE.
_CASES = (
    ((60, 80), (72, 96), 1.0),
    ((60, 80), (224, 224), 0.25),
    ((224, 224), (224, 224), 0.25),
    ((1800, 2400), (224, 224), 0.1),
)
_WORKERS = 2

Results = Any  # a queue of seconds
Work = Callable[[Program, list[bytes], Barrier, Results], None]


def run(context: Context) -> Figures:
    """Measure each case with two workers of one thread, as two Spark tasks have."""
    settings = context.config
    source = context.catalogue or ensure_catalogue(context.sample, settings.sample)
    wanted = DEFAULT_MODEL if settings.model == CURRENT else settings.model
    model = load_model(wanted, project_home())
    spark = spark_session("benchmark embed")
    figures: Figures = {"benchmark": "embed", "workers": _WORKERS, "cores": os.cpu_count()}
    for picture, size, share in _CASES:
        count = int((context.options.size or SIZE) * share)
        contents = _pictures(source, picture, count)
        case = f"{picture[0]}x{picture[1]}_at_{size[0]}x{size[1]}"
        figures |= _measured(spark, context, _sized(model, size), contents, case)
    return figures


def _sized(model: Model, size: tuple[int, int]) -> Model:
    """Return the model with another input size: its speed, if not its sense."""
    change = {"width": size[0], "height": size[1]}
    fields = vars(model) | {"preprocessing": model.preprocessing.model_copy(update=change)}
    return Model(**fields)


def _pictures(source: Path, size: tuple[int, int], count: int) -> list[bytes]:
    """Return JPEGs of one size, drawn from the catalogue's own."""
    contents = []
    for path in sorted((source / "images").glob("*.jpg"))[:100]:
        try:
            with Image.open(path) as image:
                buffer = io.BytesIO()
                image.convert("RGB").resize(size).save(buffer, "JPEG", quality=90)
                contents.append(buffer.getvalue())
        except OSError:
            continue  # one of the faults of the sample
    return list(islice(cycle(contents), count))


def _measured(
    spark: SparkSession, context: Context, model: Model, contents: list[bytes], case: str
) -> Figures:
    figures: Figures = {f"{case}_pictures": len(contents)}
    for engine in ("openvino", "torch"):
        settings = context.config.embed.model_copy(update={"engine": engine, "device": "cpu"})
        program = choose_program(model, settings)
        figures[f"{case}_network_{engine}_per_s"] = _in_processes(_network, program, contents)
    program = choose_program(model, context.config.embed)
    bare = figures[f"{case}_bare_loop_per_s"] = _in_processes(_bare_loop, program, contents)
    with peak_memory(figures, f"{case}_peak_mb"):
        job = figures[f"{case}_job_per_s"] = _job(spark, program, contents)
    network = figures[f"{case}_network_openvino_per_s"]
    figures[f"{case}_job_to_bare_loop"] = job / bare
    figures[f"{case}_bare_loop_to_network"] = bare / network
    return figures


def _in_processes(work: Work, program: Program, contents: list[bytes]) -> float:
    """Run `work` on a part of the pictures in each worker at once; return pictures per second."""
    fork = multiprocessing.get_context("spawn")
    barrier, results = fork.Barrier(_WORKERS), fork.SimpleQueue()
    parts = [contents[i::_WORKERS] for i in range(_WORKERS)]
    processes = [
        fork.Process(target=work, args=(program, part, barrier, results)) for part in parts
    ]
    for process in processes:
        process.start()
    seconds: list[float] = [results.get() for _ in processes]
    for process in processes:
        process.join()
    return len(contents) / max(seconds)


def _network(program: Program, contents: list[bytes], barrier: Barrier, results: Results) -> None:
    encoder, size = program.load(1), program.batch_size
    pixels = [as_pixels(content, program.preprocessing) for content in contents]
    batches = [pixels[i : i + size] for i in range(0, len(pixels), size)]
    encoder.encode(batches[0])
    barrier.wait()
    results.put(seconds_of(lambda: [encoder.encode(batch) for batch in batches]))


def _bare_loop(program: Program, contents: list[bytes], barrier: Barrier, results: Results) -> None:
    encoder = program.load(1)
    decode = partial(as_pixels, preprocessing=program.preprocessing)
    encoder.encode([decode(contents[0])])
    barrier.wait()
    pictures = enumerate(contents)
    loop = encode_pictures(pictures, decode, encoder, 1)
    results.put(seconds_of(lambda: list(loop)))


def _job(spark: SparkSession, program: Program, contents: list[bytes]) -> float:
    """Encode from files into Delta, twice: the workers are loaded and warm for the second."""
    sent = send(spark.sparkContext, program)
    with TemporaryDirectory(prefix="fashionrec-") as folder:
        _write_parts(contents, Path(folder))
        spark.conf.set("spark.sql.files.minPartitionNum", str(4 * _WORKERS))
        for attempt in range(2):
            pictures = spark.read.parquet(f"{folder}/pictures")
            began = time.perf_counter()
            encoded(pictures, sent).write.format("delta").save(f"{folder}/out{attempt}")
            seconds = time.perf_counter() - began
    sent.program.unpersist()
    return len(contents) / seconds


def _write_parts(contents: list[bytes], folder: Path) -> None:
    (folder / "pictures").mkdir()
    parts = 4 * _WORKERS
    for part in range(parts):
        own = contents[part::parts]
        table = pa.table(
            {
                "product_id": pa.array(range(len(own)), pa.int64()),
                "image_sha256": [str(i) for i in range(len(own))],
                "content": own,
            }
        )
        pq.write_table(table, folder / "pictures" / f"{part}.parquet")
