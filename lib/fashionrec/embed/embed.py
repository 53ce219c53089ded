"""The step `embed`: an embedding for each picture that the model version has not seen."""

import logging

import pyarrow.dataset as ds

from fashionrec.embed import missing
from fashionrec.embed.compute import compute_missing, engines_of
from fashionrec.embed.model import Model
from fashionrec.errors import FashionrecError
from fashionrec.models import versions_by_promotion
from fashionrec.read import TableReader
from fashionrec.runs import Run
from fashionrec.settings import EmbedSettings
from fashionrec.store import Store
from fashionrec.tables import EMBEDDINGS, IMAGES

log = logging.getLogger(__name__)


def embed(store: Store, model: Model, settings: EmbedSettings, run: Run) -> None:
    """Bring `embeddings` up to date for one model version, committing portion by portion."""
    run.model_version = model.version
    done = _done(store, model.version) | {"keep_versions": settings.keep_versions}
    counts = dict.fromkeys(("written", "copied", "removed", "failed"), 0)
    if done.items() <= store.state(EMBEDDINGS).items():
        log.info("embed: every picture has its embedding")
    else:
        counts = _bring_up_to_date(store, model, settings, run)
        # The log forgets old commits, so each state says again which engines there were.
        store.mark(EMBEDDINGS, done | {"engines": engines_of(store, model.version)})
    total = store.count(EMBEDDINGS, ds.field("model_version") == model.version)
    run.count("embed", **counts, kept=total - counts["written"])


def _done(store: TableReader, model_version: str) -> dict[str, object]:
    """The state of `embeddings` when every picture has its row."""
    return {"model_version": model_version, "images": store.version(IMAGES)}


def require_complete(store: TableReader, model_version: str) -> None:
    """Refuse to go on where a model version has not seen every picture.

    Raises:
        FashionrecError: it has not.
    """
    if not _done(store, model_version).items() <= store.state(EMBEDDINGS).items():
        raise FashionrecError(
            f"{store.path(EMBEDDINGS)}: not every picture has been seen by {model_version}: run "
            "embed first"
        )


def _bring_up_to_date(
    store: Store, model: Model, settings: EmbedSettings, run: Run
) -> dict[str, int]:
    removed = copied = 0
    if not store.is_empty(EMBEDDINGS):
        removed = _remove_old_versions(store, model, settings.keep_versions)
        removed += store.remove(EMBEDDINGS, missing.stale(store))
        copied = _copy_known(store, model)
    computed, failed = compute_missing(store, model, settings, run)
    if computed:
        copied += _copy_known(store, model)  # the twins of what was just computed
    return {"written": computed + copied, "copied": copied, "removed": removed, "failed": failed}


def _remove_old_versions(store: Store, model: Model, keep: int) -> int:
    """Remove the rows of all but this version and the `keep` that were current before it."""
    ranks = {version: rank for rank, version in enumerate(versions_by_promotion(store))}
    others = sorted(
        store.distinct(EMBEDDINGS, "model_version") - {model.version},
        key=lambda version: (ranks.get(version, len(ranks)), version),
    )
    if not others[keep:]:
        return 0
    log.info("embed: removes the rows of %s", ", ".join(others[keep:]))
    every = store.read(EMBEDDINGS).select(*EMBEDDINGS.key)
    return store.remove(EMBEDDINGS, every.where(every.model_version.isin(others[keep:])))


def _copy_known(store: Store, model: Model) -> int:
    """Give products whose very picture has an embedding already that embedding."""
    copies = missing.copies(store, model.version).persist()
    count = copies.count()
    if count:
        values = missing.embedded(store, model.version).drop("image_sha256")
        donors = values.withColumnRenamed("product_id", "donor")
        rows = copies.join(donors, on="donor", how="inner").select(*EMBEDDINGS.names)
        store.append(EMBEDDINGS, rows)
    copies.unpersist()
    return count
