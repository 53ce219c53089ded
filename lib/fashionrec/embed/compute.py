"""Computes what no row has yet, portion by portion: each is one commit, so little can be lost."""

import logging
import time
from functools import partial
from typing import Any

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from fashionrec.embed.devices import executors_have_gpu
from fashionrec.embed.engines import choose_program
from fashionrec.embed.frames import Sent, send
from fashionrec.embed.missing import in_files, in_portions, ranges, unseen
from fashionrec.embed.model import Model
from fashionrec.embed.reading import contents_of_files
from fashionrec.embed.writing import Target, written
from fashionrec.paths import absolute
from fashionrec.progress import followed
from fashionrec.runs import Run
from fashionrec.session import with_properties
from fashionrec.settings import EmbedSettings
from fashionrec.store import Store
from fashionrec.tables import EMBEDDINGS, IMAGES

log = logging.getLogger(__name__)

# Tasks of seconds: what is done shows, and the last ones do not leave cores idle for long.
_PICTURES_PER_TASK = 1_000


def compute_missing(
    store: Store, model: Model, settings: EmbedSettings, run: Run
) -> tuple[int, int]:
    """Compute each distinct picture without a row once; return how many succeeded and failed."""
    wanted = in_portions(unseen(store, model.version), settings.commit_every)
    with in_files(wanted, store.warehouse) as pictures:  # else each portion would compare them all
        portions = ranges(pictures)
        return _compute(store, pictures, portions, model, settings, run) if portions else (0, 0)


def _compute(
    store: Store,
    pictures: DataFrame,
    portions: list[Row],
    model: Model,
    settings: EmbedSettings,
    run: Run,
) -> tuple[int, int]:
    sent = _send(store, model, settings, run)
    state = _state(store, model, sent.engine, run)
    began, failed = time.monotonic(), 0
    total = sum(portion["size"] for portion in portions)
    with followed(store.spark, "embed", total, "images", lambda: sent.finished.value) as costs:
        for portion in portions:
            wanted = _with_files(store, pictures, portion)
            failed += _append_encoded(store, wanted, portion["size"], model, sent, state)
    run.seconds |= {
        "embed.compute": time.monotonic() - began,
        "embed.decode": sent.decode_seconds.value,
        "embed.network": sent.network_seconds.value,
        **{f"embed.{name}": seconds for name, seconds in costs.seconds.items()},
    }
    sent.program.unpersist()
    return total - failed, failed


def _send(store: Store, model: Model, settings: EmbedSettings, run: Run) -> Sent:
    program = choose_program(model, settings, lambda: executors_have_gpu(store.spark))
    run.note(_note(settings, program.engine))
    return send(store.spark.sparkContext, program)


def _note(settings: EmbedSettings, engine: str) -> str:
    """Say what was taken, and why it is no GPU: one that is not used is to be seen at once."""
    wanted_gpu = settings.device == "auto" and settings.engine != "openvino"
    why = ", as tasks see no usable GPU" if wanted_gpu and engine.endswith("cpu") else ""
    return f"embed on {engine}{why} (device {settings.device!r}, engine {settings.engine!r})"


def _state(store: Store, model: Model, engine: str, run: Run) -> dict[str, Any]:
    """Return what each commit tells: the engines of this version's rows. A mix is noted."""
    engines = sorted({*engines_of(store, model.version), engine})
    if len(engines) > 1:
        run.note(f"{model.version} mixes rows by {' and '.join(engines)}")
    return {"model_version": model.version, "engines": engines}


def engines_of(store: Store, model_version: str) -> list[str]:
    """Return the engines that computed a model version's rows, as the table's log says."""
    mine = (s for s in store.states(EMBEDDINGS) if s.get("model_version") == model_version)
    return next((state["engines"] for state in mine if "engines" in state), [])


def _append_encoded(
    store: Store, pictures: DataFrame, size: int, model: Model, sent: Sent, state: dict[str, Any]
) -> int:
    """Encode and commit one portion; return how many of its pictures could not be decoded."""
    tasks = max(store.spark.sparkContext.defaultParallelism, size // _PICTURES_PER_TASK)
    reading = {"spark.sql.files.minPartitionNum": str(tasks)}
    folder, schema = absolute(store.path(EMBEDDINGS)), store.arrow_schema(EMBEDDINGS)
    target = Target(folder, schema, model.version, model.threshold)
    contents = partial(contents_of_files, folder=absolute(store.path(IMAGES)))
    with with_properties(store.spark, reading):
        done = written(pictures, sent, target, contents)
    store.add_files(EMBEDDINGS, done.files, state)
    if done.failed:
        log.warning("embed: a picture %s", done.problem)
    return done.failed


def _with_files(store: Store, pictures: DataFrame, portion: Row) -> DataFrame:
    """Return the pictures of a portion, with the file that each lies in.

    Each task has those of some files, as many bytes as the other tasks.
    """
    # The range of ids lets Delta skip the files of `images` that hold none of them.
    within = F.col("product_id").between(portion["low"], portion["high"])
    wanted = F.broadcast(pictures.where(F.col("portion") == portion["portion"]))
    file = F.col("_metadata.file_name").alias("file")
    rows = store.read(IMAGES).where(within).select("product_id", file)
    return rows.join(wanted.drop("portion"), on="product_id", how="inner")
