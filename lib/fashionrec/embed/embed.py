"""The step `embed`: an embedding for each picture that the model version has not seen."""

import logging
import time
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
from pyspark import Broadcast
from pyspark.sql import DataFrame, Observation, Row, Window
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema

from fashionrec.config import EmbedSettings
from fashionrec.embed.decode import as_pixels
from fashionrec.embed.encode import encode_pictures
from fashionrec.embed.encoder import Encoded, Encoder, Program
from fashionrec.embed.engines import choose_program
from fashionrec.embed.model import Model
from fashionrec.runs import Run
from fashionrec.store import Store
from fashionrec.tables import EMBEDDINGS, IMAGES

log = logging.getLogger(__name__)

Batches = Iterable[pa.RecordBatch]

_RESULTS = (
    "product_id BIGINT, image_sha256 STRING, embedding ARRAY<FLOAT>, "
    "predicted_article_type STRING, predicted_probability FLOAT, problem STRING"
)
_RESULTS_PER_BATCH = 512
_encoders: dict[int, Encoder] = {}  # by broadcast: a python worker serves one task after another


def embed(store: Store, model: Model, settings: EmbedSettings, run: Run) -> None:
    """Bring `embeddings` up to date for one model version, committing portion by portion."""
    run.model_version = model.version
    done = {"model_version": model.version, "images": store.version(IMAGES)}
    counts = dict.fromkeys(("written", "copied", "removed", "failed"), 0)
    if store.state(EMBEDDINGS) == done:
        log.info("embed: every picture has its embedding")
    else:
        counts = _bring_up_to_date(store, model, settings, run)
        store.mark(EMBEDDINGS, done)
    total = store.count(EMBEDDINGS, ds.field("model_version") == model.version)
    run.count("embed", **counts, kept=total - counts["written"])


def _bring_up_to_date(
    store: Store, model: Model, settings: EmbedSettings, run: Run
) -> dict[str, int]:
    removed = _remove_stale(store)
    copied = _copy_known(store, model)
    began = time.monotonic()
    computed, failed = _compute_missing(store, model, settings)
    if computed:
        run.seconds["embed.compute"] = time.monotonic() - began
        copied += _copy_known(store, model)  # the twins of what was just computed
    return {"written": computed + copied, "copied": copied, "removed": removed, "failed": failed}


def _remove_stale(store: Store) -> int:
    """Remove the rows of pictures that their product no longer has, under any model version."""
    pictures = _pictures(store)
    rows = store.read(EMBEDDINGS).select(*EMBEDDINGS.key, "image_sha256")
    stale = rows.join(pictures, on=["product_id", "image_sha256"], how="left_anti")
    return store.remove(EMBEDDINGS, stale.select(*EMBEDDINGS.key))


def _pictures(store: Store) -> DataFrame:
    return store.read(IMAGES).select("product_id", F.col("sha256").alias("image_sha256"))


def _embedded(store: Store, model: Model) -> DataFrame:
    return store.read(EMBEDDINGS).where(F.col("model_version") == model.version)


def _missing(store: Store, model: Model) -> DataFrame:
    """Return product_id and image_sha256 of the pictures without a row, from keys alone."""
    done = _embedded(store, model).select("product_id", "image_sha256")
    return _pictures(store).join(done, on=["product_id", "image_sha256"], how="left_anti")


def _copy_known(store: Store, model: Model) -> int:
    """Give products whose very picture has an embedding already that embedding."""
    done = _embedded(store, model)
    donors = done.groupBy("image_sha256").agg(F.min("product_id").alias("donor"))
    copies = _missing(store, model).join(donors, on="image_sha256", how="inner").persist()
    count = copies.count()
    if count:
        values = done.drop("image_sha256").withColumnRenamed("product_id", "donor")
        rows = copies.join(values, on="donor", how="inner").select(*EMBEDDINGS.names)
        store.append(EMBEDDINGS, rows)
    copies.unpersist()
    return count


def _compute_missing(store: Store, model: Model, settings: EmbedSettings) -> tuple[int, int]:
    """Compute each distinct missing picture once; return how many succeeded and failed."""
    computed, failed = 0, 0
    program: Broadcast[Program] | None = None
    for portion in _portions(_unseen(store, model), settings.commit_every):
        program = program or _sent(store, model, settings)
        # The range of ids lets Delta skip the files of `images` that hold none of them.
        within = F.col("product_id").between(portion["low"], portion["high"])
        # Asked again, not remembered: Spark drops what it cached of a table that is written to.
        wanted = F.broadcast(_unseen(store, model).where(within))
        pictures = store.read(IMAGES).where(within).select("product_id", "content")
        pictures = pictures.join(wanted, on="product_id", how="inner")
        bad = _append_encoded(store, pictures, model, program)
        computed, failed = computed + portion["size"] - bad, failed + bad
        log.info("embed: %d pictures done", computed)
    return computed, failed


def _unseen(store: Store, model: Model) -> DataFrame:
    """Return the distinct pictures without an embedding, under the lowest of their products."""
    done = _embedded(store, model).select("image_sha256")
    pictures = _pictures(store).join(done, on="image_sha256", how="left_anti")
    return pictures.groupBy("image_sha256").agg(F.min("product_id").alias("product_id"))


def _portions(pictures: DataFrame, size: int) -> list[Row]:
    """Cut the ids into ranges of `size` pictures: rows of size, low, high."""
    place = F.row_number().over(Window.orderBy("product_id")) - 1
    numbered = pictures.select("product_id", F.floor(place / size).alias("portion"))
    ranges = numbered.groupBy("portion").agg(
        F.count("*").alias("size"),
        F.min("product_id").alias("low"),
        F.max("product_id").alias("high"),
    )
    return ranges.orderBy("portion").collect()


def _sent(store: Store, model: Model, settings: EmbedSettings) -> "Broadcast[Program]":
    """Send the network to the executors, once per node."""
    program = choose_program(model, settings)
    log.info("embed: %s with %s", model.version, program.engine)
    return store.spark.sparkContext.broadcast(program)


def _append_encoded(
    store: Store, pictures: DataFrame, model: Model, program: "Broadcast[Program]"
) -> int:
    """Encode and commit one portion; return how many pictures could not be decoded."""
    observed = Observation()
    accepted = F.lit(None) if model.threshold is None else F.lit(model.threshold)
    results = encoded(pictures, program).observe(
        observed, F.count("problem").alias("failed"), F.first("problem", True).alias("example")
    )
    rows = results.where("problem IS NULL").withColumns(
        {
            "model_version": F.lit(model.version),
            "predicted_accepted": F.col("predicted_probability") >= accepted.cast("float"),
        }
    )
    store.append(EMBEDDINGS, rows.select(*EMBEDDINGS.names))
    if observed.get["failed"]:
        log.warning("embed: a picture %s", observed.get["example"])
    return int(observed.get["failed"])


def encoded(pictures: DataFrame, program: "Broadcast[Program]") -> DataFrame:
    """Lift `encode_pictures`: a row per picture, in any order."""
    spark = pictures.sparkSession
    schema = to_arrow_schema(spark.createDataFrame([], _RESULTS).schema)
    threads = int(spark.conf.get("spark.task.cpus", "1") or 1)
    encode = partial(_encode_batches, program=program, threads=threads, schema=schema)
    return pictures.select("product_id", "image_sha256", "content").mapInArrow(encode, _RESULTS)


def _encode_batches(
    batches: Batches, program: "Broadcast[Program]", threads: int, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    encoder = _loaded(program, threads)
    decode = partial(as_pixels, preprocessing=program.value.preprocessing)
    results = encode_pictures(_contents(batches), decode, encoder, threads)
    rows = (_result_row(*key, result) for key, result in results)
    while portion := list(islice(rows, _RESULTS_PER_BATCH)):
        yield pa.RecordBatch.from_pylist(portion, schema)


def _loaded(program: "Broadcast[Program]", threads: int) -> Encoder:
    key = id(program.value)  # one object per broadcast in a worker
    if key not in _encoders:
        _encoders.clear()
        _encoders[key] = program.value.load(threads)
    return _encoders[key]


def _contents(batches: Batches) -> Iterator[tuple[tuple[int, str], bytes]]:
    for batch in batches:
        for row in batch.to_pylist():
            yield (row["product_id"], row["image_sha256"]), row["content"]


def _result_row(product_id: int, image_sha256: str, result: Encoded | str) -> dict[str, Any]:
    row: dict[str, Any] = {"product_id": product_id, "image_sha256": image_sha256}
    if isinstance(result, str):
        return row | {"problem": result}
    return row | {
        "embedding": result.embedding,
        "predicted_article_type": result.article_type,
        "predicted_probability": result.probability,
    }
