"""Plots and galleries as PNG: matplotlib without a display."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

_READABLE = 40  # classes whose names fit beside a matrix
_THUMBNAIL = 240  # pixels of its longer side


def training_curves(history: Sequence[dict[str, float]]) -> bytes:
    """Loss and accuracy per epoch."""
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    losses, accuracies = figure.subplots(1, 2)
    epochs = range(1, len(history) + 1)
    for name, label in (("loss", "train"), ("validation_loss", "validation")):
        losses.plot(epochs, [line[name] for line in history], marker=".", label=label)
    for name in (key for key in history[0] if key.endswith("accuracy")):
        label = name.replace("_", " ") if name != "accuracy" else "article type accuracy"
        accuracies.plot(epochs, [line[name] for line in history], marker=".", label=label)
    for axes, title in ((losses, "loss"), (accuracies, "validation accuracy")):
        axes.set(title=title, xlabel="epoch")
        axes.legend()
    return _png(figure)


def confusion_matrix(counts: NDArray[np.int64], classes: Sequence[str]) -> bytes:
    """Share of each true class (row) that was called each class (column); the most confused ones.

    counts: of all classes [n, n].
    """
    mistakes = counts.sum(0) + counts.sum(1) - 2 * counts.diagonal()
    shown = np.sort(np.argsort(-mistakes, kind="stable")[:_READABLE])
    shares = (counts / np.maximum(counts.sum(1, keepdims=True), 1))[np.ix_(shown, shown)]
    names = [classes[i] for i in shown]
    side = max(4.0, 0.28 * len(names))
    figure = Figure(figsize=(side + 1.5, side + 1), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    which = "" if len(names) == len(classes) else f"the {len(names)} most confused of "
    axes.set(title=f"Confusions of {which}{len(classes)} classes", xlabel="predicted")
    axes.set_ylabel("catalogued")
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    figure.colorbar(image, shrink=0.6, label="share of the catalogued class")
    return _png(figure)


@dataclass(frozen=True)
class Captioned:
    """A picture's bytes, what to write under it, and whether that is right, if it can be."""

    content: bytes
    caption: str
    right: bool | None = None


def gallery(rows: Sequence[Sequence[Captioned]]) -> bytes:
    """Pictures in rows, captions in green where right and red where wrong."""
    columns = max(len(row) for row in rows)
    figure = Figure(figsize=(1.7 * columns, 2.3 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for line, row in zip(grid, rows, strict=True):
        for axes, picture in zip(line, row, strict=False):
            axes.imshow(Image.open(io.BytesIO(picture.content)).convert("RGB"))
            colour = {True: "tab:green", False: "tab:red", None: "black"}[picture.right]
            axes.set_title(picture.caption, fontsize=7, color=colour)
    return _png(figure)


def thumbnail(content: bytes) -> bytes:
    """Return a picture as a small JPEG."""
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    picture.thumbnail((_THUMBNAIL, _THUMBNAIL))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def lines(
    title: str,
    points: Sequence[tuple[str, Sequence[float], Sequence[float]]],
    axis_names: tuple[str, str],
    diagonal: bool = False,
) -> bytes:
    """Lines through points: label, x and y of each."""
    figure = Figure(figsize=(4.5, 3.7), layout="constrained")
    axes = figure.subplots()
    for label, x, y in points:
        axes.plot(x, y, marker="." if len(x) <= 20 else None, label=label)
    if diagonal:
        axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle=":")
    axes.set(title=title, xlabel=axis_names[0], ylabel=axis_names[1])
    axes.grid(alpha=0.3)
    axes.legend()
    return _png(figure)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
