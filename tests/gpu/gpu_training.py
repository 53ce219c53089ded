"""Two epochs as a training's processes run them, one per GPU, from files that pyarrow wrote."""

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from torch import multiprocessing

from fashionrec.benchmark.report import Figures
from fashionrec.config import load
from fashionrec.embed.model import Model
from fashionrec.ingest.csv_lines import line_ranges, read_header
from fashionrec.ingest.listing import find_styles
from fashionrec.ingest.pictures import Limits, UnusableError, examine_picture
from fashionrec.ingest.styles import COLUMNS, Record, read_records
from fashionrec.model_settings import FinetuneSettings
from fashionrec.training.checkpoint import Checkpoints, write_tensors
from fashionrec.training.classifier import ARTICLE_TYPE, Blueprint, new_classifier
from fashionrec.training.rank import INITIAL, Job, train_rank
from fashionrec.training.snapshot import Part, Snapshot

_LOOPBACK = "127.0.0.1"
_LIMITS = Limits(max_pixels=50_000_000, max_bytes=33_554_432)


def training(
    model: Model, catalogue: Path, folder: Path, device: str, ranks: int, count: int
) -> Figures:
    """Train the model with a new last layer on so many pictures of a catalogue."""
    examples = pa.Table.from_pylist(list(_examples(catalogue, count)))
    classes = {ARTICLE_TYPE: tuple(sorted(set(examples[ARTICLE_TYPE].to_pylist())))}
    blueprint = Blueprint(model.architecture, model.preprocessing, classes)
    classifier = new_classifier(blueprint, model, seed=7, new_heads=True)
    job = Job(
        settings=_settings(device),
        snapshot=_written(examples, folder, ranks),
        blueprint=blueprint,
        folder=folder,
        initial_sha256=write_tensors(folder / INITIAL, classifier.state_dict()),
        ranks=ranks,
        threads=max(1, len(os.sched_getaffinity(0)) // ranks),
        device=device,
    )
    multiprocessing.spawn(_rank, (job, _free_port()), nprocs=ranks)
    return _figures(Checkpoints(folder).progress().history, job)


def _settings(device: str) -> FinetuneSettings:
    changes = {"epochs": 2, "learning_rate": 0.01, "device": device}
    return load().finetune.model_copy(update=changes)


def _examples(catalogue: Path, count: int) -> Iterator[dict[str, object]]:
    """The first products that have an article type and a usable picture."""
    styles = find_styles(catalogue)
    header = read_header(styles, COLUMNS)
    records = (r for part in line_ranges(styles) for r in read_records(styles, header, part, []))
    found = (_example(catalogue, record) for record in records)
    return islice((example for example in found if example), count)


def _example(catalogue: Path, record: Record) -> dict[str, object] | None:
    product_id, kind = record.values.get("product_id"), record.values.get(ARTICLE_TYPE)
    path = catalogue / "images" / f"{product_id}.jpg"
    content = path.read_bytes() if kind and path.exists() else b""
    try:
        examine_picture(content, _LIMITS)
    except UnusableError:
        return None
    return {"product_id": product_id, ARTICLE_TYPE: kind, "content": content}


def _written(examples: pa.Table, folder: Path, ranks: int) -> Snapshot:
    """Every third picture validates; each split is a file, with a row group per process."""
    parts, everything = {}, range(len(examples))
    splits = {"train": [i for i in everything if i % 3], "validation": list(everything[::3])}
    for split, chosen in splits.items():
        each = len(chosen) // ranks
        file = folder / f"{split}.parquet"
        pq.write_table(examples.take(chosen[: each * ranks]), file, row_group_size=each)
        parts[split] = Part((str(file),), (each,) * ranks)
    return Snapshot(str(folder), 0, parts)


def _rank(rank: int, job: Job, port: int) -> None:
    """Be one process, told by the variables that torchrun would set."""
    numbers = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": job.ranks, "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in numbers.items()})
    os.environ["MASTER_ADDR"] = _LOOPBACK
    train_rank(job)


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind((_LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _figures(history: list[dict[str, float]], job: Job) -> Figures:
    rows = sum(job.snapshot.parts["train"].rows)
    return {
        "training_processes": job.ranks,
        "training_epochs": len(history),
        "training_pictures": rows,
        "training_per_s": rows / history[-1]["seconds"],
        "training_first_loss": history[0]["loss"],
        "training_last_loss": history[-1]["loss"],
        "training_accuracy": history[-1]["accuracy"],
        "training_loss_ratio": history[-1]["loss"] / history[0]["loss"],
    }
