"""Figures of neighbour lists: numpy, no Spark, no torch.

Items are numbered 0 to m - 1; lists are int64 [m, k] of such numbers, padded with -1, the list of
item i in row i.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fashionrec.neighbours.lists import Ints

Floats = NDArray[np.float64]
Texts = NDArray[np.object_]

MISSING = -1


@dataclass(frozen=True)
class Estimate:
    """A mean, and the bounds of its 95% bootstrap interval."""

    value: float
    low: float
    high: float


def kinds(columns: Sequence[Texts]) -> Ints:
    """Number the combinations of values [m]; MISSING where one of them is null."""
    known = np.all([[value is not None for value in column] for column in columns], axis=0)
    joined = np.array(["\t".join(map(str, row)) for row in zip(*columns, strict=True)])
    codes = np.unique(joined, return_inverse=True)[1].astype(np.int64)
    return np.where(known, codes, MISSING)


def relevant(lists: Ints, kind: Ints) -> NDArray[np.bool_]:
    """Say of each neighbour [m, k] whether it is of the item's kind."""
    same: NDArray[np.bool_] = kind[lists] == kind[:, None]
    return np.asarray(same & (lists >= 0) & (kind[:, None] != MISSING))


def precision(hits: NDArray[np.bool_]) -> Floats:
    """Return precision at k of each list [m]: a short list counts as if filled with misses."""
    return np.asarray(hits.mean(axis=1))


def average_precision(hits: NDArray[np.bool_], kind: Ints) -> Floats:
    """Return average precision at k of each list [m]; nan where no other item is of its kind.

    The mean of the precisions at the hits' ranks, over min(k, items that are of the kind).
    """
    k = hits.shape[1]
    at_rank = hits.cumsum(axis=1) / np.arange(1, k + 1)
    sizes = np.bincount(kind[kind >= 0], minlength=1)
    others = np.where(kind >= 0, sizes[kind] - 1, 0)
    possible = np.minimum(others, k)
    summed = (at_rank * hits).sum(axis=1)
    return np.where(possible > 0, summed / np.maximum(possible, 1), np.nan)


def estimate(values: Floats, resamples: int, seed: int) -> Estimate:
    """Return the mean of the values that are no nan, with its percentile bootstrap interval."""
    known = values[~np.isnan(values)]
    if not len(known):
        return Estimate(float("nan"), float("nan"), float("nan"))
    draw = np.random.default_rng(seed)
    means = [known[draw.integers(len(known), size=len(known))].mean() for _ in range(resamples)]
    low, high = np.percentile(means, [2.5, 97.5])
    return Estimate(float(known.mean()), float(low), float(high))


@dataclass(frozen=True)
class Reach:
    """How recommendations spread over the items.

    coverage: share of items that some list holds; hubness: skewness of how many lists hold an item
    (Radovanovic et al., Hubs in Space, 2010).
    """

    coverage: float
    never_recommended: float
    hubness: float


def reach(lists: Ints, items: NDArray[np.bool_]) -> Reach:
    """Return how the lists of all items spread over some of them [m]."""
    occurrences = np.bincount(lists[lists >= 0], minlength=len(lists))[items].astype(np.float64)
    spread = occurrences.std()
    skew = ((occurrences - occurrences.mean()) ** 3).mean() / spread**3 if spread else 0.0
    never = float((occurrences == 0).mean())
    return Reach(1 - never, never, float(skew))


def random_lists(count: int, k: int, seed: int) -> Ints:
    """Return k distinct other items for each item, at random."""
    k = min(k, count - 1)
    draw = np.random.default_rng(seed)
    lists = np.stack([draw.choice(count - 1, size=k, replace=False) for _ in range(count)])
    return np.asarray(lists + (lists >= np.arange(count)[:, None]))


def size_buckets(kind: Ints) -> Texts:
    """Say of each item how large its class is."""
    sizes = np.bincount(kind[kind >= 0], minlength=1)
    own = np.where(kind >= 0, sizes[kind], 0)
    return np.select([own < 50, own < 275], ["below 50", "50 to 274"], "275 and more").astype(
        object
    )
