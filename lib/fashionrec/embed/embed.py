"""The step `embed`: an embedding for each picture that the model version has not seen."""

import logging
import time

import pyarrow.dataset as ds
from pyspark.sql import DataFrame, Observation, Row, Window
from pyspark.sql import functions as F

from fashionrec.config import EmbedSettings
from fashionrec.embed.engines import choose_program
from fashionrec.embed.frames import Sent, encoded, send
from fashionrec.embed.model import Model
from fashionrec.errors import FashionrecError
from fashionrec.progress import followed
from fashionrec.runs import Run
from fashionrec.store import Store
from fashionrec.tables import EMBEDDINGS, IMAGES

log = logging.getLogger(__name__)

_PICTURES_PER_TASK = 2_000


def embed(store: Store, model: Model, settings: EmbedSettings, run: Run) -> None:
    """Bring `embeddings` up to date for one model version, committing portion by portion."""
    run.model_version = model.version
    done = _done(store, model.version)
    counts = dict.fromkeys(("written", "copied", "removed", "failed"), 0)
    if store.state(EMBEDDINGS) == done:
        log.info("embed: every picture has its embedding")
    else:
        counts = _bring_up_to_date(store, model, settings, run)
        store.mark(EMBEDDINGS, done)
    total = store.count(EMBEDDINGS, ds.field("model_version") == model.version)
    run.count("embed", **counts, kept=total - counts["written"])


def _done(store: Store, model_version: str) -> dict[str, object]:
    """The state of `embeddings` when every picture has its row."""
    return {"model_version": model_version, "images": store.version(IMAGES)}


def require_complete(store: Store, model_version: str) -> None:
    """Refuse to go on where a model version has not seen every picture.

    Raises:
        FashionrecError: it has not.
    """
    if store.state(EMBEDDINGS) != _done(store, model_version):
        raise FashionrecError(
            f"{store.path(EMBEDDINGS)}: not every picture has been seen by {model_version}: run "
            "embed first"
        )


def _bring_up_to_date(
    store: Store, model: Model, settings: EmbedSettings, run: Run
) -> dict[str, int]:
    removed = _remove_stale(store)
    copied = _copy_known(store, model)
    computed, failed = _compute_missing(store, model, settings, run)
    if computed:
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


def _compute_missing(
    store: Store, model: Model, settings: EmbedSettings, run: Run
) -> tuple[int, int]:
    """Compute each distinct missing picture once; return how many succeeded and failed."""
    portions = _portions(_unseen(store, model), settings.commit_every)
    if not portions:
        return 0, 0
    program = choose_program(model, settings)
    log.info("embed: %s with %s", model.version, program.engine)
    _warn_of_a_mix(store, model, program.engine)
    sent = send(store.spark.sparkContext, program)
    began, failed = time.monotonic(), 0
    total = sum(portion["size"] for portion in portions)
    with followed(store.spark, "embed", total, "images") as costs:
        for portion in portions:
            pictures = _pictures_in(store, model, portion)
            failed += _append_encoded(store, pictures, model, sent)
    run.seconds |= {
        "embed.compute": time.monotonic() - began,
        "embed.decode": sent.decode_seconds.value,
        "embed.network": sent.network_seconds.value,
        **{f"embed.{name}": seconds for name, seconds in costs.seconds.items()},
    }
    return total - failed, failed


def _warn_of_a_mix(store: Store, model: Model, engine: str) -> None:
    """Say so where another engine has filled a part of this model version's rows."""
    states = store.states(EMBEDDINGS)
    mine = (state for state in states if state.get("model_version") == model.version)
    earlier = next((state["engine"] for state in mine if "engine" in state), engine)
    if earlier != engine:
        log.warning("embed: %s mixes rows by %s and by %s", model.version, earlier, engine)


def _pictures_in(store: Store, model: Model, portion: Row) -> DataFrame:
    """Return the pictures of a portion that have no embedding yet, with their bytes."""
    # Tasks of seconds: what is done shows, and the last ones do not leave cores idle for long.
    tasks = max(1, portion["size"] // _PICTURES_PER_TASK)
    store.spark.conf.set("spark.sql.files.minPartitionNum", str(tasks))
    # The range of ids lets Delta skip the files of `images` that hold none of them.
    within = F.col("product_id").between(portion["low"], portion["high"])
    # Asked again, not remembered: Spark drops what it cached of a table that is written to.
    wanted = F.broadcast(_unseen(store, model).where(within))
    pictures = store.read(IMAGES).where(within).select("product_id", "content")
    return pictures.join(wanted, on="product_id", how="inner")


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


def _append_encoded(store: Store, pictures: DataFrame, model: Model, sent: Sent) -> int:
    """Encode and commit one portion; return how many pictures could not be decoded."""
    observed = Observation()
    accepted = F.lit(None) if model.threshold is None else F.lit(model.threshold)
    results = encoded(pictures, sent).observe(
        observed, F.count("problem").alias("failed"), F.first("problem", True).alias("example")
    )
    rows = results.where("problem IS NULL").withColumns(
        {
            "model_version": F.lit(model.version),
            "predicted_accepted": F.col("predicted_probability") >= accepted.cast("float"),
        }
    )
    state = {"model_version": model.version, "engine": sent.engine}
    store.append(EMBEDDINGS, rows.select(*EMBEDDINGS.names), state)
    if observed.get["failed"]:
        log.warning("embed: a picture %s", observed.get["example"])
    return int(observed.get["failed"])
