"""Which model version is current: a fact of the warehouse, kept in the table `models`."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow.dataset as ds

from fashionrec.config import project_home
from fashionrec.embed.model import Model, load_model
from fashionrec.embed.network import load_network
from fashionrec.errors import FashionrecError
from fashionrec.read import TableReader
from fashionrec.tables import MODELS

if TYPE_CHECKING:
    from fashionrec.store import Store

log = logging.getLogger(__name__)

CURRENT = "current"
DEFAULT_MODEL = "models/fashion-base"


def current_model(store: Store, wanted: str) -> Model:
    """Return the model to use, and record it as the current one if it is not yet.

    `wanted` is the setting `model`: "current", a folder, or torchvision:WEIGHTS.
    """
    row = _current_row(store)
    model = wanted_model(store, wanted)
    if row is None or row["model_version"] != model.version:
        load_network(model)  # raises where the weights do not fit
        make_current(store, model)
    return model


def wanted_model(store: TableReader, wanted: str) -> Model:
    """Return the model that the setting `model` wants, and record nothing.

    Raises:
        FashionrecError: it cannot be loaded, or the current model's folder holds another one.
    """
    row = _current_row(store)
    if wanted != CURRENT:
        return load_model(wanted, project_home())
    if row is None:
        return load_model(DEFAULT_MODEL, project_home())
    return _recorded(row, "the current model")


def wanted_source(store: TableReader, wanted: str) -> str:
    """Return where the model that the setting wants comes from: a folder, or torchvision's."""
    row = _current_row(store)
    if wanted != CURRENT:
        return wanted
    return row["path"] if row else DEFAULT_MODEL


def used_model(store: TableReader, version: str) -> Model:
    """Return a model version that the warehouse has used.

    Raises:
        FashionrecError: there is none, it cannot be loaded, or its folder holds another one.
    """
    row = _row(store, ds.field("model_version") == version)
    if row is None:
        raise FashionrecError(f"{store.path(MODELS)}: has no model {version}")
    return _recorded(row, "the model asked for")


def _recorded(row: dict[str, str], which: str) -> Model:
    model = load_model(row["path"], project_home())
    if model.version != row["model_version"]:
        raise FashionrecError(
            f"{row['path']}: holds {model.version}, but {which} is {row['model_version']}: "
            "restore it, or name a model with --set model=FOLDER"
        )
    return model


def make_current(store: Store, model: Model) -> None:
    """Make `model` the only current one, in one commit."""
    log.info("models: %s is now current", model.version)
    now = datetime.now(UTC)
    new = (model.version, model.source, True, now, model.metrics)
    others = store.read(MODELS).where(f"model_version <> '{model.version}'")
    rows = store.spark.createDataFrame([new], others.schema)
    retired = others.selectExpr(
        "model_version", "path", "false AS current", "promoted_at", "metrics"
    )
    store.sync(MODELS, retired.unionByName(rows))


def current_version(store: TableReader) -> str:
    """Return the current model version.

    Raises:
        FashionrecError: the warehouse has none yet.
    """
    row = _current_row(store)
    if row is None:
        raise FashionrecError(f"{store.path(MODELS)}: no model is current yet: run embed first")
    return row["model_version"]


def versions_by_promotion(store: Store) -> list[str]:
    """Return all model versions of the warehouse: the current one, then the last before it, ..."""
    rows = store.scan(MODELS, ["model_version", "current", "promoted_at"]).to_table()
    order = [("current", "descending"), ("promoted_at", "descending")]
    return list(rows.sort_by(order)["model_version"].to_pylist())


def _current_row(store: TableReader) -> dict[str, str] | None:
    return _row(store, ds.field("current"))


def _row(store: TableReader, where: ds.Expression) -> dict[str, str] | None:
    if not store.exists(MODELS):
        return None
    rows = store.scan(MODELS, ["model_version", "path"], where).to_table().to_pylist()
    return rows[0] if rows else None
