"""The encoder lifted into a DataFrame: a row of results per picture."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import pyarrow as pa
from pyspark import Accumulator, Broadcast, SparkContext, TaskContext
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import to_arrow_schema

from fashionrec.datafiles import Batches
from fashionrec.embed.decode import as_pixels
from fashionrec.embed.encode import Seconds, encode_pictures
from fashionrec.embed.encoder import Encoded, Encoder, Program

_RESULTS = (
    "product_id BIGINT, image_sha256 STRING, embedding ARRAY<FLOAT>, "
    "predicted_article_type STRING, predicted_probability FLOAT, problem STRING"
)
_RESULTS_PER_BATCH = 512

Contents = Iterator[tuple[tuple[int, str], bytes]]  # product_id and image_sha256, bytes
_encoders: dict[str, Encoder] = {}  # a python worker serves one task after another


@dataclass(frozen=True)
class Sent:
    """A network on its way to executors, once per node, and the sums that come back."""

    engine: str
    program: "Broadcast[Program]"
    finished: "Accumulator[int]"
    decode_seconds: "Accumulator[float]"
    network_seconds: "Accumulator[float]"


def send(context: SparkContext, program: Program) -> Sent:
    """Make a network available to all tasks."""
    sums = context.accumulator(0), context.accumulator(0.0), context.accumulator(0.0)
    return Sent(program.engine, context.broadcast(program), *sums)


def encoded(pictures: DataFrame, sent: Sent) -> DataFrame:
    """Encode rows of product_id, image_sha256, content; a picture that fails has a `problem`."""
    encode = encoding(pictures.sparkSession, sent)
    return pictures.select("product_id", "image_sha256", "content").mapInArrow(encode, _RESULTS)


def contents_of_rows(batches: Batches) -> Contents:
    """Return key and bytes of rows of product_id, image_sha256, content."""
    for batch in batches:
        for row in batch.to_pylist():
            yield (row["product_id"], row["image_sha256"]), row["content"]


def encoding(
    spark: SparkSession, sent: Sent, contents: Callable[[Batches], Contents] = contents_of_rows
) -> Callable[[Batches], Iterator[pa.RecordBatch]]:
    """Return what a task makes of its pictures: batches of results, failed pictures among them."""
    schema = to_arrow_schema(spark.createDataFrame([], _RESULTS).schema)
    # One thread per core of the task, so that workers do not fight over cores.
    threads = int(spark.conf.get("spark.task.cpus", "1") or 1)

    def encode(batches: Batches) -> Iterator[pa.RecordBatch]:
        return _encoded_contents(contents(batches), sent, threads, schema)

    return encode


def _encoded_contents(
    contents: Contents, sent: Sent, threads: int, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    program, seconds = sent.program.value, Seconds()
    decode = partial(as_pixels, preprocessing=program.preprocessing)
    encoder = _loaded(program, threads)
    results = encode_pictures(contents, decode, encoder, threads, seconds)
    rows = (_result_row(*key, result) for key, result in results)
    while portion := list(islice(rows, _RESULTS_PER_BATCH)):
        sent.finished.add(len(portion))
        yield pa.RecordBatch.from_pylist(portion, schema)
    sent.decode_seconds.add(seconds.decode)
    sent.network_seconds.add(seconds.network)


def _loaded(program: Program, threads: int) -> Encoder:
    gpu = assigned_gpu()
    key = f"{program.key} {threads} {gpu}"
    if key not in _encoders:
        _encoders.clear()
        _encoders[key] = program.load(threads, gpu)
    return _encoders[key]


def assigned_gpu() -> int | None:
    """Return the address of the GPU that Spark assigned to this task, if it schedules GPUs."""
    task = TaskContext.get()
    gpus = task.resources().get("gpu") if task else None
    return int(gpus.addresses[0]) if gpus else None


def _result_row(product_id: int, image_sha256: str, result: Encoded | str) -> dict[str, Any]:
    row: dict[str, Any] = {"product_id": product_id, "image_sha256": image_sha256}
    if isinstance(result, str):
        return row | {"problem": result}
    return row | {
        "embedding": result.embedding,
        "predicted_article_type": result.article_type,
        "predicted_probability": result.probability,
    }
