"""Scored pairs of queries and items, and the ranked lists they become."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Pairs:
    """Query `rows`, item `columns` and `scores` of pairs, all [p]."""

    rows: Ints
    columns: Ints
    scores: Floats

    def take(self, keep: Ints | NDArray[np.bool_]) -> "Pairs":
        """The pairs at some places, or under a mask."""
        return Pairs(self.rows[keep], self.columns[keep], self.scores[keep])

    def shifted(self, by: int) -> "Pairs":
        """The pairs with row numbers moved."""
        return Pairs(self.rows + by, self.columns, self.scores)

    def and_also(self, other: "Pairs") -> "Pairs":
        """These pairs, then the others."""
        return Pairs(
            np.append(self.rows, other.rows),
            np.append(self.columns, other.columns),
            np.append(self.scores, other.scores),
        )


@dataclass(frozen=True)
class TopK:
    """Neighbour lists, best first.

    ids: int64 [n, k], padded with -1. similarities: float32 [n, k], padded with nan.
    certified: bool [n], True where the first pass proved the list; the others were redone.
    """

    ids: Ints
    similarities: Floats
    certified: NDArray[np.bool_]

    def reaching(self, floors: Floats) -> "TopK":
        """The lists without neighbours less similar than their query's floor, float32 [n]."""
        low = ~(self.similarities >= floors[:, None])
        ids = np.where(low, -1, self.ids)
        return TopK(ids, np.where(low, np.float32(np.nan), self.similarities), self.certified)

    def put(self, rows: Ints, lists: "TopK") -> None:
        """Overwrite the lists, not the certificates, of some queries."""
        self.ids[rows], self.similarities[rows] = lists.ids, lists.similarities


def ranked(rows: Ints, ids: Ints, scores: Floats) -> tuple[Ints, Ints]:
    """The order of (row, id, score) triples, best first in a row, lower id first in a tie; and
    the rank of each in its row, from 0, in that order."""
    order = np.lexsort((ids, -scores, rows))
    ordered = rows[order]
    return order, np.arange(len(rows)) - np.searchsorted(ordered, ordered)


def stretches(starts: Ints, lengths: Ints) -> Ints:
    """The places from each start on, so many of each."""
    ends = np.cumsum(lengths)
    places: Ints = np.arange(lengths.sum()) + np.repeat(starts - (ends - lengths), lengths)
    return places


def alike(ordered: Ints, wanted: Ints) -> Ints:
    """The places in ascending values of those that are wanted, which ascend too."""
    first, last = (np.searchsorted(ordered, wanted, side) for side in ("left", "right"))
    return stretches(first, last - first)


def are_among(values: Ints, ordered: Ints) -> NDArray[np.bool_]:
    """Which values are among others, which ascend and may be many more, bool [values]."""
    if not len(ordered):
        return np.zeros(len(values), np.bool_)
    places = np.searchsorted(ordered, values).clip(max=len(ordered) - 1)
    found: NDArray[np.bool_] = ordered[places] == values
    return found


def empty_lists(count: int, k: int) -> TopK:
    """Lists without a neighbour, not certified."""
    ids = np.full((count, k), -1, np.int64)
    return TopK(ids, np.full((count, k), np.nan, np.float32), np.zeros(count, np.bool_))


def listed(pairs: Pairs, ids: Ints, k: int, count: int) -> TopK:
    """The k best pairs of each of `count` rows, with the ids of their columns."""
    order, ranks = ranked(pairs.rows, ids[pairs.columns], pairs.scores)
    best, ranks = pairs.take(order[ranks < k]), ranks[ranks < k]
    lists = empty_lists(count, k)
    lists.ids[best.rows, ranks] = ids[best.columns]
    lists.similarities[best.rows, ranks] = best.scores
    return lists


def stacked(parts: list[TopK], k: int) -> TopK:
    """The lists of all parts, in order."""
    parts = [empty_lists(0, k), *parts]
    return TopK(
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.similarities for part in parts]),
        np.concatenate([part.certified for part in parts]),
    )
