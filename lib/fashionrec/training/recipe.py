"""How a network is trained: augmentation, loss, optimizer and learning rate. Torch alone."""

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from fashionrec.model_settings import FinetuneSettings
from fashionrec.training.classifier import ARTICLE_TYPE
from fashionrec.training.examples import NO_LABEL


def seed_of(*numbers: int) -> int:
    """Mix seed, epoch and rank into one seed, so that a resumed epoch draws as it would have."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def augmented(planes: Tensor, settings: FinetuneSettings, draw: torch.Generator) -> Tensor:
    """Mirror, scale and shift each picture [n, 3, height, width] at random; edges are repeated."""
    count = len(planes)
    mirrored = torch.rand(count, generator=draw) < settings.flip
    if settings.scale == [1.0, 1.0] and not settings.shift:
        flips = mirrored.to(planes.device).view(-1, 1, 1, 1)
        return torch.where(flips, planes.flip(3), planes)
    low, high = settings.scale
    zoom = 1 / (low + (high - low) * torch.rand(count, generator=draw))
    affine = torch.zeros(count, 2, 3)
    affine[:, 0, 0] = torch.where(mirrored, -zoom, zoom)
    affine[:, 1, 1] = zoom
    affine[:, :, 2] = settings.shift * 2 * (2 * torch.rand(count, 2, generator=draw) - 1)
    grid = nn.functional.affine_grid(affine.to(planes.device), list(planes.shape), False)
    return nn.functional.grid_sample(planes, grid, padding_mode="border", align_corners=False)


def loss_of(logits: Mapping[str, Tensor], labels: Tensor, settings: FinetuneSettings) -> Tensor:
    """Cross-entropy of the article type, plus that of further heads by their weight.

    labels: int64 [n, heads] in the order of `logits`; missing ones count nothing.
    """
    total = torch.zeros((), device=labels.device)
    for column, (name, outputs) in enumerate(logits.items()):
        target = labels[:, column]
        summed = nn.functional.cross_entropy(
            outputs.float(),
            target,
            reduction="sum",
            ignore_index=NO_LABEL,
            label_smoothing=settings.label_smoothing,
        )
        weight = 1.0 if name == ARTICLE_TYPE else settings.head_weight
        total = total + weight * summed / (target != NO_LABEL).sum().clamp(min=1)
    return total


def sgd(network: nn.Module, settings: FinetuneSettings) -> torch.optim.SGD:
    """Stochastic gradient descent over all parameters; biases and norms do not decay."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.SGD(
        groups,
        lr=settings.learning_rate,
        momentum=settings.momentum,
        nesterov=settings.nesterov,
    )


def learning_rate(settings: FinetuneSettings, epochs: float) -> float:
    """Return the rate after so many epochs, whole ones and a part."""
    rate = settings.learning_rate
    if settings.schedule == "step":
        rate *= settings.step_factor ** (int(epochs) // settings.step_epochs)
    else:
        rate *= (1 + math.cos(math.pi * epochs / settings.epochs)) / 2
    if epochs < settings.warmup_epochs:
        rate *= epochs / settings.warmup_epochs
    return rate
