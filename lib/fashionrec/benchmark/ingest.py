"""`benchmark ingest`: many small files, by a plain loop, by Spark's own route, and by this job."""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import cycle, islice, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from pyspark.sql import SparkSession

from fashionrec.benchmark.report import Figures, peak_memory, seconds_of
from fashionrec.cli import Context
from fashionrec.config import Config
from fashionrec.errors import UsageError
from fashionrec.ingest.catalogue import checks_of
from fashionrec.ingest.entries import STYLES
from fashionrec.ingest.ingest import ingest
from fashionrec.ingest.listed import listed
from fashionrec.ingest.pictures import Limits, UnusableError, examine_picture
from fashionrec.ingest.styles import COLUMNS
from fashionrec.runs import Run, recorded
from fashionrec.sample import ensure_catalogue
from fashionrec.session import spark_session
from fashionrec.store import Store
from fashionrec.tables import IMAGES

SIZE = 44_441  # pictures of the whole catalogue that the study used
_LOOP_PROCESSES = 2
_EMPTY_JOB = """
from fashionrec.session import spark_session
spark_session("empty").range(10).count()
"""


def run(context: Context) -> Figures:
    """Measure on copies of the catalogue's pictures under new ids, read once before the clock."""
    size = context.options.size or SIZE
    source = context.catalogue or ensure_catalogue(context.sample, context.config.sample)
    with TemporaryDirectory(prefix="fashionrec-") as folder:
        catalogue = Path(folder) / "catalogue"
        _copy_catalogue(source, catalogue, size)
        return _measured(context.config, catalogue, Path(folder), size)


def _copy_catalogue(source: Path, target: Path, size: int) -> None:
    """Write `size` products whose pictures are the source's usable ones, over and over."""
    if not (source / "images").is_dir():
        raise UsageError(f"{source}: has no folder images, whose files this measures with")
    usable = [path for path in sorted((source / "images").iterdir()) if _is_usable(path)]
    (target / "images").mkdir(parents=True)
    values = ",".join("2012" for _ in range(len(COLUMNS) - 1))
    with (target / "styles.csv").open("w") as styles:
        styles.write(",".join(COLUMNS) + "\n")
        for number, path in enumerate(islice(cycle(usable), size)):
            styles.write(f"{number},{values}\n")
            shutil.copyfile(path, target / "images" / f"{number}.jpg")


def _is_usable(path: Path) -> bool:
    try:
        examine_picture(path.read_bytes(), Limits(1 << 30, 1 << 30))
    except UnusableError:
        return False
    return True


def _measured(config: Config, catalogue: Path, folder: Path, size: int) -> Figures:
    spark = spark_session("benchmark ingest")
    figures: Figures = {"benchmark": "ingest", "files": size, "cores": os.cpu_count()}
    _warm_up(config, Store(spark, folder / "warm"), folder)
    paths = sorted(str(path) for path in (catalogue / "images").iterdir())
    figures |= _listings(checks_of(config.ingest, config.expectations), catalogue, folder)
    figures["empty_job_s"] = seconds_of(lambda: _empty_job(spark))
    figures["loop_read_hash_s"] = seconds_of(lambda: _plain_loop(paths, _read_and_hash))
    figures["loop_read_hash_decode_s"] = seconds_of(lambda: _plain_loop(paths, _read_and_decode))
    store = Store(spark, folder / "warehouse")
    with peak_memory(figures, "first_peak_mb"):
        figures["first_s"] = _night(store, config, catalogue)
    figures["unchanged_s"] = _night(store, config, catalogue)
    _change(paths, size // 100)
    figures["changed_1_percent_s"] = _night(store, config, catalogue)
    content = store.read(IMAGES).select("product_id", "content")
    target = f"{folder}/delta-alone"
    writer = content.write.format("delta")
    figures["delta_write_s"] = seconds_of(lambda: writer.save(target))
    glob = spark.read.format("binaryFile").load(f"{catalogue}/images/*.jpg")
    target_glob = f"{folder}/glob"
    figures["binary_file_s"] = seconds_of(lambda: glob.write.format("delta").save(target_glob))
    bound = figures["loop_read_hash_decode_s"] + figures["delta_write_s"]
    figures["first_to_loop_and_delta"] = figures["first_s"] / bound
    figures["binary_file_to_first"] = figures["binary_file_s"] / figures["first_s"]
    return figures


def _listings(checks: dict[str, str], catalogue: Path, folder: Path) -> Figures:
    """Time how the driver lists the pictures, as files and as members of one tar."""
    packed = folder / "packed"
    packed.mkdir()
    (packed / STYLES).touch()
    with tarfile.open(packed / "images.tar", "w") as tar:
        tar.add(catalogue / "images", "images")
    figures: Figures = {}
    for name, where in (("files", catalogue), ("members", packed)):
        began = time.perf_counter()
        with listed(where, checks) as file:
            figures[f"list_{name}_s"] = time.perf_counter() - began
            figures[f"list_{name}_bytes"] = file.stat().st_size
    return figures


def _empty_job(spark: SparkSession) -> None:
    """Start a JVM and a session, count ten rows, and end: what any job costs."""
    options = f"--master {spark.conf.get('spark.master')} --jars {spark.conf.get('spark.jars')}"
    attached = ("PYSPARK_GATEWAY_PORT", "PYSPARK_GATEWAY_SECRET")  # to this very JVM
    environment = {name: value for name, value in os.environ.items() if name not in attached}
    environment["PYSPARK_SUBMIT_ARGS"] = f"{options} pyspark-shell"
    command = [sys.executable, "-c", _EMPTY_JOB]
    subprocess.run(command, env=environment, check=True, stderr=subprocess.DEVNULL)


def _warm_up(config: Config, store: Store, folder: Path) -> None:
    """Let the JVM compile what the measured runs use."""
    small = folder / "small"
    ensure_catalogue(small, config.sample.model_copy(update={"products": 60}))
    _night(store, config, small)
    _change([str(path) for path in (small / "images").iterdir()], 2)
    _night(store, config, small)


def _night(store: Store, config: Config, catalogue: Path) -> float:
    with recorded(store, "ingest") as current:

        def step(run: Run = current) -> None:
            ingest(
                store,
                catalogue,
                config.ingest,
                run,
                fetching=config.fetch,
                expectations=config.expectations,
            )

        return seconds_of(step)


def _change(paths: list[str], count: int) -> None:
    """Give some products the picture of their neighbour in the list."""
    for path, other in islice(pairwise(paths), count):
        shutil.copyfile(other, path)


def _plain_loop(paths: list[str], work: Callable[[list[str]], None]) -> None:
    parts = [paths[i::_LOOP_PROCESSES] for i in range(_LOOP_PROCESSES)]
    with ProcessPoolExecutor(_LOOP_PROCESSES) as pool:
        list(pool.map(work, parts))


def _read_and_hash(paths: list[str]) -> None:
    for path in paths:
        hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _read_and_decode(paths: list[str]) -> None:
    for path in paths:
        content = Path(path).read_bytes()
        hashlib.sha256(content).hexdigest()
        examine_picture(content, Limits(1 << 30, 1 << 30))
