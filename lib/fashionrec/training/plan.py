"""What a training was begun with, kept beside its checkpoints so that it can be gone on with."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
from pydantic import BaseModel, ConfigDict

from fashionrec.config import project_home
from fashionrec.embed.model import HEADS, Model, load_model
from fashionrec.embed.preprocessing import STUDY, Preprocessing
from fashionrec.errors import FashionrecError, UsageError
from fashionrec.model_settings import FinetuneSettings
from fashionrec.models import CURRENT, current_model
from fashionrec.paths import write_whole
from fashionrec.store import Store
from fashionrec.tables import TRAINING_SET
from fashionrec.training.checkpoint import Checkpoints, write_tensors
from fashionrec.training.classifier import ARTICLE_TYPE, Blueprint, new_classifier
from fashionrec.training.rank import INITIAL

SCRATCH = "scratch"
_FILE = "plan.json"
# What may differ when a training is gone on with: it changes no weights.
_FREE = {"folder", "target_accuracy", "processes", "across_executors", "device"}


class Plan(BaseModel):
    """Everything that decides the weights: settings, rows and start."""

    model_config = ConfigDict(frozen=True)

    settings: FinetuneSettings
    table_version: int
    ranks: int
    start: str | None
    start_version: str | None
    blueprint: Blueprint
    initial_sha256: str


def begin(store: Store, settings: FinetuneSettings, folder: Path, version: int, ranks: int) -> Plan:
    """Make the network that training begins with, and write it and the plan into `folder`.

    Raises:
        FashionrecError: an unfinished training is there, or the start model cannot be had.
    """
    if Checkpoints(folder).progress().epochs:
        raise FashionrecError(
            f"{folder}: holds an unfinished training: go on with it by --resume, or remove the "
            "folder to begin anew"
        )
    start = _start(store, settings)
    blueprint = Blueprint(
        settings.architecture if start is None else start.architecture,
        _preprocessing(settings, start),
        _classes(store, settings, version),
    )
    classifier = new_classifier(blueprint, start, seed=settings.seed, new_heads=settings.new_heads)
    folder.mkdir(parents=True, exist_ok=True)
    plan = Plan(
        settings=settings,
        table_version=version,
        ranks=ranks,
        start=start.source if start else None,
        start_version=start.version if start else None,
        blueprint=blueprint,
        initial_sha256=write_tensors(folder / INITIAL, classifier.state_dict()),
    )
    write_whole(folder / _FILE, plan.model_dump_json(indent=1).encode())
    return plan


def resumed(settings: FinetuneSettings, folder: Path, ranks: int) -> Plan:
    """Return the plan of the training in `folder`.

    Raises:
        FashionrecError: there is none.
        UsageError: it was begun with other settings.
    """
    path = folder / _FILE
    if not path.exists():
        raise FashionrecError(f"{folder}: holds no unfinished training: run without --resume")
    plan = Plan.model_validate_json(path.read_bytes())
    then, now = plan.settings.model_dump(), settings.model_dump()
    differing = [name for name in now if now[name] != then[name] and name not in _FREE]
    if differing:
        told = ", ".join(f"finetune.{name} = {then[name]!r}" for name in differing)
        raise UsageError(f"{folder}: this training was begun with {told}: set that to resume it")
    if plan.ranks != ranks:
        raise UsageError(f"{folder}: this training has {plan.ranks} processes: resume it with them")
    return plan.model_copy(update={"settings": settings})


def pinned_versions(warehouse: Path) -> set[int]:
    """Return the versions of `training_set` that the unfinished trainings of a warehouse read."""
    plans = warehouse.glob(f"checkpoints/*/{_FILE}")
    return {json.loads(path.read_bytes())["table_version"] for path in plans}


def start_of(plan: Plan) -> Model | None:
    """Return the model that the training started from, if any."""
    return load_model(plan.start, project_home()) if plan.start else None


def _start(store: Store, settings: FinetuneSettings) -> Model | None:
    if settings.start == SCRATCH:
        return None
    if settings.start == CURRENT:
        return current_model(store, CURRENT)
    return load_model(settings.start, project_home())


def _preprocessing(settings: FinetuneSettings, start: Model | None) -> Preprocessing:
    own = STUDY if start is None else start.preprocessing
    if not settings.size:
        return own
    height, width = settings.size
    stretched = {"height": height, "width": width, "resize": "stretch", "shorter_side": None}
    return own.model_copy(update=stretched)


def _classes(store: Store, settings: FinetuneSettings, version: int) -> dict[str, tuple[str, ...]]:
    """Return the classes of each head, sorted; a further head knows what is trained on."""
    names = [ARTICLE_TYPE, *(name for name in HEADS if name in settings.heads)]
    rows = store.scan(TRAINING_SET, [*names, "split"], version=version).to_table()
    trained = rows.filter(ds.field("split") == "train")
    return {name: _distinct(rows if name == ARTICLE_TYPE else trained, name) for name in names}


def _distinct(rows: pa.Table, name: str) -> tuple[str, ...]:
    return tuple(sorted(value for value in rows[name].unique().to_pylist() if value is not None))
