"""The training loop: epochs of steps, a validation and a checkpoint after each. Torch alone."""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from fashionrec.model_settings import FinetuneSettings
from fashionrec.pace import SECONDS_BETWEEN_LINES, progress_line
from fashionrec.training.checkpoint import Checkpoints, Progress
from fashionrec.training.classifier import Classifier
from fashionrec.training.examples import Batch
from fashionrec.training.recipe import augmented, learning_rate, loss_of, seed_of
from fashionrec.training.state import State

log = logging.getLogger(__name__)

Report = Callable[[int, dict[str, float]], None]


class Data(Protocol):
    """This process' share of the rows; each call reads all of it once, and counts."""

    rows: int  # of all processes
    steps: int  # per epoch, the same in all processes

    def training(self, epoch: int) -> Iterator[Batch]:
        """Return the batches of an epoch, in an order of its own."""
        ...

    def validation(self) -> Iterator[Batch]:
        """Return the batches to validate on."""
        ...


@dataclass(frozen=True)
class Place:
    """Where a process runs: its device, and its number among all."""

    device: torch.device
    half: bool = False
    rank: int = 0
    ranks: int = 1


def train(
    network: Classifier,
    data: Data,
    settings: FinetuneSettings,
    place: Place,
    checkpoints: Checkpoints,
    report: Report = lambda _epoch, _figures: None,
) -> Progress:
    """Train from the last checkpoint, or from the beginning, to the last epoch.

    The first process saves a checkpoint after each epoch; its tensors hold the best weights.
    `report` hears of every epoch, of those before an interruption too.
    """
    state = State(_placed(network, settings, place), settings)
    progress = checkpoints.progress()
    if progress.epochs:
        state.load(checkpoints.tensors())
        for epoch, figures in enumerate(progress.history):
            report(epoch, figures)
    model = DistributedDataParallel(state.network) if place.ranks > 1 else state.network
    for epoch in range(progress.epochs, settings.epochs):
        began = time.monotonic()
        loss = _train_epoch(epoch, model, state, data, settings, place)
        figures = _validate(state.averaged, data, settings, place)
        progress.history.append({"loss": loss, "seconds": time.monotonic() - began, **figures})
        if figures["accuracy"] > _best(progress):
            progress.best_epoch = epoch
            state.keep_as_best()
        if place.rank == 0:
            checkpoints.save(progress, state.tensors())
            report(epoch, progress.history[-1])
            log.info("finetune: epoch %s", _line(epoch, settings, progress.history[-1]))
    return progress


def _placed(network: Classifier, settings: FinetuneSettings, place: Place) -> Classifier:
    network = network.to(place.device)
    if settings.channels_last:
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def _train_epoch(
    epoch: int,
    model: nn.Module,
    state: State,
    data: Data,
    settings: FinetuneSettings,
    place: Place,
) -> float:
    """Take an epoch's steps and return their mean loss, over all processes."""
    draw = torch.Generator().manual_seed(seed_of(settings.seed, epoch, place.rank))
    follow = _Follower(epoch, data, place)
    summed = torch.zeros((), dtype=torch.float64)
    model.train()
    for step, batch in enumerate(data.training(epoch)):
        state.set_rate(learning_rate(settings, epoch + step / data.steps))
        planes = state.network.normalise(batch.pixels.to(place.device))
        with _autocast(place):
            logits = model(augmented(planes, settings, draw))
            loss = loss_of(logits, batch.labels.to(place.device), settings)
        state.step(loss)
        summed += float(loss.detach())
        follow.step(step)
    return float(_over_processes(summed, place)) / data.steps / place.ranks


@torch.no_grad()
def _validate(
    network: Classifier, data: Data, settings: FinetuneSettings, place: Place
) -> dict[str, float]:
    """Return the mean loss and each head's share of right answers over all validation rows."""
    network.eval()
    sums = torch.zeros(2 + 2 * len(network.heads), dtype=torch.float64)
    for batch in data.validation():
        labels = batch.labels.to(place.device)
        with _autocast(place):
            logits = network(network.normalise(batch.pixels.to(place.device)))
        sums[0] += float(loss_of(logits, labels, settings)) * len(labels)
        sums[1] += len(labels)
        for column, outputs in enumerate(logits.values()):
            target = labels[:, column]
            sums[2 + 2 * column] += int((outputs.argmax(1) == target).sum())
            sums[3 + 2 * column] += int((target >= 0).sum())
    loss, count, *right = _over_processes(sums, place).tolist()
    # What has no class among those known is a wrong answer of the main head.
    names = ["accuracy", *(f"{name}_accuracy" for name in list(network.heads)[1:])]
    known = [count, *right[3::2]]
    shares = {name: right[2 * i] / max(known[i], 1) for i, name in enumerate(names)}
    return {"validation_loss": loss / max(count, 1), **shares}


def _autocast(place: Place) -> torch.autocast:
    return torch.autocast(place.device.type, torch.bfloat16, enabled=place.half)


def _over_processes(sums: Tensor, place: Place) -> Tensor:
    """Add numbers up over all processes."""
    if place.ranks == 1:
        return sums
    total = sums.to(place.device)
    dist.all_reduce(total)
    return total.cpu()


def _best(progress: Progress) -> float:
    return progress.history[progress.best_epoch]["accuracy"] if progress.best_epoch >= 0 else -1.0


def _line(epoch: int, settings: FinetuneSettings, figures: dict[str, float]) -> str:
    told = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in figures.items())
    return f"{epoch + 1} of {settings.epochs}: {told}"


class _Follower:
    """A line every few seconds, from the first process."""

    def __init__(self, epoch: int, data: Data, place: Place) -> None:
        self._what = f"finetune: epoch {epoch + 1}"
        self._data, self._rank = data, place.rank
        self._began = self._told = time.monotonic()

    def step(self, step: int) -> None:
        now = time.monotonic()
        if self._rank == 0 and now - self._told >= SECONDS_BETWEEN_LINES:
            self._told = now
            finished = self._data.rows * (step + 1) // self._data.steps
            line = progress_line(finished, self._data.rows, now - self._began, "pictures")
            log.info("%s: %s", self._what, line)
