"""How seconds and memory grow with n: what fits them best, and a chart of them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter
from numpy.typing import NDArray

from fashionrec.benchmark.report import Figures

Floats = NDArray[np.float64]

_STYLES = ("-", "--", ":", "-.")  # of numbers of cores


def growth(measured: Sequence[Figures], step: str) -> Figures:
    """Return what fits a step's seconds and megabytes at several n, by least squares.

    The exponent is of the logarithms. A fixed part and one per product are of the relative
    errors, so that the small sizes count as much as the large ones.
    """
    figures: Figures = {}
    for suffix, unit, small in (("s", "s", "ms"), ("mb", "MB", "kB")):
        sizes, values = _points(measured, f"{step}_{suffix}")
        if len(sizes) < 2:
            continue
        fixed, each = np.linalg.lstsq(
            np.c_[1 / values, sizes / values], np.ones(len(sizes)), rcond=None
        )[0]
        if suffix == "s":
            slope = np.polyfit(np.log(sizes), np.log(values), 1)[0]
            figures[f"{step} grows with the power of n"] = float(slope)
        figures[f"{step}, fixed {unit}"] = float(fixed)
        figures[f"{step}, {small} per product"] = float(1_000 * each)
    return figures


def draw_growth(measured: Sequence[Figures], steps: Sequence[str], file: Path) -> None:
    """Draw the seconds and the memory of steps against n, a line per number of cores."""
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    seconds, memory = figure.subplots(1, 2)
    for cores, style in zip(sorted({each["cores"] for each in measured}), _STYLES, strict=False):
        runs = [each for each in measured if each["cores"] == cores]
        for number, step in enumerate(steps):
            label = f"{step.replace('_', ' ')}, {cores} core{'s' if cores > 1 else ''}"
            look = {"marker": ".", "linestyle": style, "color": f"C{number}", "label": label}
            seconds.plot(*_points(runs, f"{step}_s"), **look)
            sizes, megabytes = _points(runs, f"{step}_mb")
            memory.plot(sizes, megabytes / 1_000, **look)
    for axes, title in ((seconds, "seconds"), (memory, "memory of all processes, GB")):
        axes.set(title=title, xlabel="products", xscale="log", yscale="log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(StrMethodFormatter("{x:,g}"))
            axis.set_minor_formatter(NullFormatter())
        axes.grid(alpha=0.3)
    figure.legend(*seconds.get_legend_handles_labels(), loc="outside right center", fontsize=8)
    figure.savefig(file)


def _points(measured: Sequence[Figures], name: str) -> tuple[Floats, Floats]:
    known = sorted((each["n"], each[name]) for each in measured if name in each)
    sizes, values = np.array(known, float).reshape(-1, 2).T
    return sizes, values
