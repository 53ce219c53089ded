"""One process of a training: its device, its share of the rows, and the loop over them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist

from fashionrec.embed.decode import Pixels, as_pixels
from fashionrec.embed.torch_engine import cpu_precision
from fashionrec.errors import FashionrecError
from fashionrec.logs import log_to_stderr
from fashionrec.model_settings import FinetuneSettings
from fashionrec.training.checkpoint import Checkpoints, Tensors, read_tensors
from fashionrec.training.classifier import Blueprint, Classifier
from fashionrec.training.examples import Batch, batch_sizes, batches, shuffled
from fashionrec.training.loop import Place, train
from fashionrec.training.reading import Reading
from fashionrec.training.recipe import seed_of
from fashionrec.training.snapshot import Snapshot
from fashionrec.training.tracking import Tracking, tracked

INITIAL = "initial.safetensors"
FAILURE = "failure.txt"


@dataclass(frozen=True)
class Job:
    """All that the processes of a training are told."""

    settings: FinetuneSettings
    snapshot: Snapshot
    blueprint: Blueprint
    folder: Path
    initial_sha256: str
    ranks: int
    threads: int
    device: str
    tracking: Tracking | None = None


class Share:
    """This process' share of a snapshot: what the loop iterates over."""

    def __init__(self, job: Job, rank: int) -> None:
        self._job, self._rank = job, rank
        self._reading = Reading(job.blueprint.classes, rank, job.ranks)
        self.rows = sum(job.snapshot.parts["train"].rows)
        self.steps = self._steps("train")

    def training(self, epoch: int) -> Iterator[Batch]:
        """Return the batches of an epoch, in an order of its own."""
        # Ranks draw row groups alike, for petastorm shares them out by number.
        groups = seed_of(self._job.settings.seed, epoch)
        rows = seed_of(self._job.settings.seed, epoch, self._rank)
        examples = self._reading.examples(self._job.snapshot.parts["train"], groups)
        drawn = shuffled(examples, self._job.settings.shuffle_rows, rows)
        return batches(drawn, self._sizes("train"), self._decode, self._job.threads)

    def validation(self) -> Iterator[Batch]:
        """Return the batches to validate on."""
        examples = self._reading.examples(self._job.snapshot.parts["validation"], 0)
        return batches(examples, self._sizes("validation"), self._decode, self._job.threads)

    @property
    def _decode(self) -> partial[Pixels]:
        return partial(as_pixels, preprocessing=self._job.blueprint.preprocessing)

    def _steps(self, split: str) -> int:
        part, ranks = self._job.snapshot.parts[split], self._job.ranks
        largest = max(part.of_rank(rank, ranks) for rank in range(ranks))
        return -(-largest // self._job.settings.batch_size)

    def _sizes(self, split: str) -> list[int]:
        rows = self._job.snapshot.parts[split].of_rank(self._rank, self._job.ranks)
        return batch_sizes(rows, self._steps(split))


def train_rank(job: Job) -> None:
    """Train as the process that torchrun's environment says; the result is in the checkpoints."""
    log_to_stderr()
    torch.set_num_threads(job.threads)
    rank = int(os.environ["RANK"])
    with (
        _noted(job.folder / FAILURE),
        _process_group(job),
        tracked(job.tracking if rank == 0 else None) as report,
    ):
        train(
            _loaded(job),
            Share(job, rank),
            job.settings,
            _place(job, rank),
            Checkpoints(job.folder),
            report,
        )


@contextmanager
def _noted(path: Path) -> Iterator[None]:
    """Leave the first failure in a file: TorchDistributor loses what processes die of."""
    try:
        yield
    except Exception as error:
        told = str(error) if isinstance(error, FashionrecError) else repr(error)
        with suppress(FileExistsError), path.open("x", encoding="utf-8") as file:
            file.write(told)
        raise


def _loaded(job: Job) -> Classifier:
    tensors: Tensors = read_tensors(job.folder / INITIAL, job.initial_sha256)
    classifier = Classifier(job.blueprint)
    classifier.load_state_dict(tensors)
    return classifier


def _place(job: Job, rank: int) -> Place:
    device = torch.device(job.device)
    if job.device == "cuda":
        # On executors each task sees its own GPUs alone.
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
        torch.cuda.set_device(device)
    return Place(device, job.settings.amp and _multiplies_bf16(device), rank, job.ranks)


def _multiplies_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return cpu_precision() == "bf16"


@contextmanager
def _process_group(job: Job) -> Iterator[None]:
    if job.ranks == 1:
        yield
        return
    dist.init_process_group("nccl" if job.device == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()
