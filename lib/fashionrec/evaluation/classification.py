"""Figures of a classifier from its answers: numpy, no Spark, no torch."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Answers:
    """What is true and what was said about products [n], and the probability of what was said."""

    product_ids: NDArray[np.int64]
    truth: NDArray[np.str_]
    predicted: NDArray[np.str_]
    probability: Floats

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each answer is right."""
        return np.asarray(self.truth == self.predicted)

    def take(self, rows: NDArray[Any]) -> "Answers":
        """Return some of the answers."""
        parts = (self.product_ids, self.truth, self.predicted, self.probability)
        return Answers(*(part[rows] for part in parts))


@dataclass(frozen=True)
class ClassFigures:
    """A class: its rows, the share of them that was found, and of what was called so, the share
    that is."""

    name: str
    rows: int
    recall: float
    precision: float


def accuracy(answers: Answers) -> float:
    """Share of right answers (top-1)."""
    return float(answers.right.mean()) if len(answers.truth) else float("nan")


def per_class(answers: Answers) -> list[ClassFigures]:
    """Return the figures of each class that occurs, in order of name."""
    figures = []
    for name in np.unique(answers.truth):
        is_it, called = answers.truth == name, answers.predicted == name
        found = int((is_it & called).sum())
        precision = found / int(called.sum()) if called.any() else 0.0
        figures.append(
            ClassFigures(str(name), int(is_it.sum()), found / int(is_it.sum()), precision)
        )
    return figures


def macro_accuracy(answers: Answers) -> float:
    """Mean recall over classes: each counts the same, however few its rows are."""
    return float(np.mean([figures.recall for figures in per_class(answers)]))


def confusion(answers: Answers, classes: list[str]) -> NDArray[np.int64]:
    """Count answers by true class (row) and said class (column)."""
    index = {name: i for i, name in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)), np.int64)
    for true, said in zip(answers.truth, answers.predicted, strict=True):
        counts[index[str(true)], index[str(said)]] += 1
    return counts


def confused_pairs(answers: Answers, most: int) -> list[tuple[str, str, int]]:
    """Return the commonest mistakes: true class, said class, count."""
    wrong = answers.take(~answers.right)
    pairs = np.char.add(np.char.add(wrong.truth, "\t"), wrong.predicted)
    names, counts = np.unique(pairs, return_counts=True)
    best = np.lexsort((names, -counts))[:most]
    return [(*names[i].split("\t"), int(counts[i])) for i in best]


def coverage_accuracy(answers: Answers) -> tuple[Floats, Floats, Floats]:
    """Return coverage, accuracy and threshold of each possible threshold, the highest first.

    Coverage is the share of rows whose probability reaches the threshold, accuracy that of right
    answers among them. Equal probabilities are accepted together.
    """
    order = np.argsort(-answers.probability, kind="stable")
    probability, right = answers.probability[order], answers.right[order]
    accepted = np.arange(1, len(right) + 1)
    last_of_equals = np.append(probability[1:] != probability[:-1], True)
    coverage, share = accepted / len(right), right.cumsum() / accepted
    return coverage[last_of_equals], share[last_of_equals], probability[last_of_equals]


def threshold_for(answers: Answers, target: float) -> float | None:
    """Return the lowest threshold whose accepted answers are so accurate, or None."""
    _, accuracies, thresholds = coverage_accuracy(answers)
    reached = thresholds[accuracies >= target]
    return float(reached.min()) if len(reached) else None


def calibration(answers: Answers, bins: int = 10) -> tuple[list[tuple[float, float, int]], float]:
    """Return (mean probability, accuracy, rows) per bin, and the expected calibration error.

    Guo et al., On Calibration of Modern Neural Networks, 2017.
    """
    place = np.minimum((answers.probability * bins).astype(int), bins - 1)
    table, error = [], 0.0
    for i in range(bins):
        inside = place == i
        if inside.any():
            said = float(answers.probability[inside].mean())
            right = float(answers.right[inside].mean())
            table.append((said, right, int(inside.sum())))
            error += abs(said - right) * inside.mean()
    return table, float(error)


def separation(known: Floats, unknown: Floats) -> float:
    """Return how often a known row scores above an unknown one (AUROC; ties count half).

    nan where there is none of either.
    """
    if not len(known) or not len(unknown):
        return float("nan")
    scores = np.concatenate([known, unknown])
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (counts.cumsum() - (counts - 1) / 2)[inverse]
    above = ranks[: len(known)].sum() - len(known) * (len(known) + 1) / 2
    return float(above / (len(known) * len(unknown)))


def share_reaching(probability: Floats, threshold: float) -> float:
    """Return the share of rows that are accepted; nan of none."""
    return float((probability >= threshold).mean()) if len(probability) else float("nan")
