"""The rules of a list, as arrays over a catalogue's products.

A product is known here by its position among the ascending ids, so that the lower of two positions
is the lower id. Values of columns are known by codes; a missing value has a code of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fashionrec.neighbours.lists import Floats, Ints, Pairs, ranked
from fashionrec.settings import ListSettings

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Values:
    """A column: int64 `codes` [p] of products, -1 where it is missing; `values`: what they mean."""

    codes: Ints
    values: pa.LargeStringArray

    def are(self, values: Sequence[str]) -> Bools:
        """Where the column has one of these values, bool [p]."""
        sought = pa.array(values, pa.large_string())
        wanted = pc.is_in(self.values, sought).to_numpy(zero_copy_only=False)
        found: Bools = np.append(wanted, False)[self.codes]
        return found


@dataclass(frozen=True)
class Rule:
    """Which neighbours a product may have.

    A list keeps k, and publishes the first `published`. match, differ: int64 codes [p, columns];
    universal: bool, where a value of `match` suits everybody; per: int64 [p, 0 or 1], the column
    of which a list has each value `at_most` times; excluded: bool [p]. Similarities
    are within `least` and `most`.
    """

    k: int
    published: int
    match: Ints
    universal: Bools
    differ: Ints
    per: Ints
    at_most: int
    excluded: Bools
    least: float
    most: float

    def may_list(self, pairs: Pairs) -> Bools:
        """Whether each pair of a product and a neighbour follows the rules, bool [pairs]."""
        rows, columns = pairs.rows, pairs.columns
        matches = (self.match[rows] == self.match[columns]) | self.universal[columns]
        differs = self.differ[rows] != self.differ[columns]
        scores = pairs.scores.astype(np.float64)  # as the limits are, and as SQL compares them
        near = (scores >= self.least) & (scores <= self.most)
        fits: Bools = matches.all(1) & differs.all(1) & near & (rows != columns)
        return fits & ~self.excluded[columns]

    def best(self, pairs: Pairs) -> Pairs:
        """The lists that pairs make: of each row the first k, best first, lower id first in a tie,
        without those whose value has been listed `at_most` times before."""
        pairs = pairs.take(ranked(pairs.rows, pairs.columns, pairs.scores)[0])
        if self.per.shape[1]:
            values = self.per[pairs.columns, 0]
            pairs = pairs.take(_occurrence(pairs.rows, values) < self.at_most)
        return pairs.take(_occurrence(pairs.rows, np.zeros_like(pairs.rows)) < self.k)

    def of_first(self, count: int) -> "Rule":
        """The rules of the first products alone."""
        return replace(
            self,
            match=self.match[:count],
            universal=self.universal[:count],
            differ=self.differ[:count],
            per=self.per[:count],
            excluded=self.excluded[:count],
        )

    def signature(self) -> Ints:
        """Everything that the rules ask of a product, int64 [p, columns]."""
        return np.column_stack([self.match, self.differ, self.per, self.excluded])


def compile_rule(
    settings: ListSettings, k: int, columns: Mapping[str, Values], count: int, reserve: int = 0
) -> Rule:
    """The rules that `settings` give for `count` products with these columns.

    A list keeps k neighbours and a reserve. Where each value is listed `at_most` times it keeps
    none: what takes a lost member's place may be what that member kept out.
    """
    universal = _by_column(settings.universal)
    excluded = np.zeros(count, np.bool_)
    for name, values in _by_column(settings.exclude).items():
        excluded |= columns[name].are(values)
    suits = [columns[name].are(universal.get(name, [])) for name in settings.match]
    return Rule(
        k=k if settings.at_most else k + reserve,
        published=k,
        match=_stacked([columns[name].codes for name in settings.match], count),
        universal=_stacked(suits, count).astype(np.bool_),
        differ=_stacked([columns[name].codes for name in settings.differ], count),
        per=_stacked([columns[settings.at_most_per].codes] if settings.at_most else [], count),
        at_most=settings.at_most,
        excluded=excluded,
        least=settings.min_similarity,
        most=settings.max_similarity,
    )


def columns_of(settings: ListSettings) -> list[str]:
    """The columns of `products` that the rules of a list look at."""
    named = [*_by_column(settings.universal), *_by_column(settings.exclude)]
    per = [settings.at_most_per] if settings.at_most else []
    return sorted({*settings.match, *settings.differ, *per, *named})


def encode(values: pa.ChunkedArray) -> Values:
    """A column of strings or integers, nulls included, as codes."""
    if not len(values):
        return Values(np.empty(0, np.int64), pa.array([], pa.large_string()))
    # Chunk by chunk, with 64-bit offsets: 33 million hashes are more than an array of others holds.
    encoded = values.cast(pa.large_string()).dictionary_encode()  # one dictionary for all chunks
    codes = [chunk.indices.fill_null(-1).to_numpy() for chunk in encoded.chunks]
    return Values(np.concatenate(codes).astype(np.int64), encoded.chunk(0).dictionary)


def no_pairs() -> Pairs:
    """No pairs."""
    nothing = np.empty(0, np.int64)
    return Pairs(nothing, nothing, np.empty(0, np.float32))


def joined(parts: Sequence[Pairs]) -> Pairs:
    """All pairs of the parts."""
    parts = [no_pairs(), *parts]
    return Pairs(
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.columns for part in parts]),
        np.concatenate([part.scores for part in parts]),
    )


def last_members(pairs: Pairs, rule: Rule, count: int) -> tuple[Floats, Ints]:
    """Before whom a neighbour must come to enter each list: similarity and product of the last of
    a list that is long enough to be published, -inf of others. `pairs` are lists, best first."""
    scores, columns = np.full(count, -np.inf, np.float32), np.zeros(count, np.int64)
    lengths = np.bincount(pairs.rows, minlength=count)
    full = lengths >= rule.published
    ends = (np.cumsum(lengths) - 1)[full]
    scores[full], columns[full] = pairs.scores[ends], pairs.columns[ends]
    return scores, columns


def _by_column(values: Sequence[str]) -> dict[str, list[str]]:
    """Read "column=value"."""
    columns: dict[str, list[str]] = {}
    for text in values:
        column, _, value = text.partition("=")
        columns.setdefault(column, []).append(value)
    return columns


def _stacked(columns: Sequence[NDArray[np.generic]], count: int) -> Ints:
    return np.array(columns, np.int64).reshape(len(columns), count).T


def _occurrence(rows: Ints, values: Ints) -> Ints:
    """How many pairs of the same row and value come before each pair."""
    order = np.lexsort((values, rows))  # stable
    ordered = np.column_stack([rows, values])[order]
    begins = np.append(True, (ordered[1:] != ordered[:-1]).any(1))[: len(rows)]
    starts = np.flatnonzero(begins)
    counts = np.empty(len(rows), np.int64)
    counts[order] = np.arange(len(rows)) - starts[np.cumsum(begins) - 1]
    return counts
