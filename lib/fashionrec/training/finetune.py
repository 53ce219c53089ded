"""The step `finetune`: from the tables to a model version's folder."""

import logging
from pathlib import Path

from fashionrec.config import Config
from fashionrec.model_settings import FinetuneSettings
from fashionrec.paths import at, remove_folder
from fashionrec.runs import Run
from fashionrec.store import Store
from fashionrec.tables import TRAINING_SET
from fashionrec.training.checkpoint import Checkpoints
from fashionrec.training.launch import (
    GPUS_PER_TASK,
    check_whole_gpus,
    device_kind,
    launch,
    processes,
    threads,
)
from fashionrec.training.plan import Plan, begin, resumed
from fashionrec.training.rank import Job
from fashionrec.training.record import record_version
from fashionrec.training.snapshot import snapshot
from fashionrec.training.tracking import tracking_of
from fashionrec.training.training_set import draw_training_set

log = logging.getLogger(__name__)


def checkpoints_of(settings: FinetuneSettings) -> str:
    """Return where a training keeps its checkpoints, below the warehouse."""
    return f"checkpoints/{settings.name}"


def finetune(store: Store, config: Config, run: Run, *, resume: bool) -> Path:
    """Train a model version and return its folder; with `resume` go on from the last checkpoint."""
    settings = config.finetune
    folder = at(store.warehouse) / checkpoints_of(settings)
    ranks = processes(settings)
    check_whole_gpus(settings, store.spark.sparkContext.getConf().get(GPUS_PER_TASK, ""))
    if resume:
        plan = resumed(settings, folder, ranks)
    else:
        version = draw_training_set(store, settings, ranks)
        plan = begin(store, settings, folder, version, ranks)
    job = _job(store, plan, folder, run)
    log.info("finetune: %d %s process(es) on %s", ranks, job.device, _told(plan))
    with run.step("train"):
        if Checkpoints(folder).progress().epochs < plan.settings.epochs:
            launch(job)
    with run.step("record"):
        made = record_version(store, config, plan, folder, run)
    remove_folder(folder)
    return made


def _job(store: Store, plan: Plan, folder: Path, run: Run) -> Job:
    pinned = snapshot(store.path(TRAINING_SET), plan.table_version)
    pinned.check_even(plan.ranks)
    settings = plan.settings
    run.count("finetune", **{split: sum(part.rows) for split, part in pinned.parts.items()})
    return Job(
        settings=settings,
        snapshot=pinned,
        blueprint=plan.blueprint,
        folder=folder,
        initial_sha256=plan.initial_sha256,
        ranks=plan.ranks,
        threads=threads(store.spark, settings),
        device=device_kind(settings),
        tracking=tracking_of(run.run_id, settings.model_dump()),
    )


def _told(plan: Plan) -> str:
    heads = ", ".join(f"{len(known)} {name}" for name, known in plan.blueprint.classes.items())
    return f"{plan.blueprint.architecture} from {plan.start_version or 'scratch'}: {heads}"
