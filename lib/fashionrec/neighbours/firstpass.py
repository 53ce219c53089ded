"""The cheap pass: every pair that might enter a list, found in low-precision score tiles."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from fashionrec.neighbours.certificate import Bounds
from fashionrec.neighbours.items import GROUP, Items, Queries, padded
from fashionrec.neighbours.lists import Floats, Ints, Pairs
from fashionrec.neighbours.lowering import turn_into_queries

Allowed = Callable[[Ints, Ints], NDArray[np.bool_]]


class Candidates:
    """Candidate pairs of n queries, collected tile by tile.

    An item is left out only where k items surely beat it, or where it surely misses its query's
    floor. A query that meets more than `most` candidates is given up, so that memory stays bounded.
    """

    def __init__(
        self, bounds: Bounds, k: int, most: int, device: torch.device, floors: Floats
    ) -> None:
        """Start without candidates; `device` is where the score tiles are."""
        count = len(bounds.slack)
        self._bounds, self._most = bounds, most
        self._floors = bounds.score_at_least(torch.from_numpy(floors).double()).to(device)
        self._best = torch.full((count, k), -torch.inf, dtype=bounds.dtype, device=device)
        self._counts = np.zeros(count, np.int64)
        nothing = np.empty(0, np.int64)
        self._found = [Pairs(nothing, nothing, np.empty(0, np.float32))]

    def add(self, scores: torch.Tensor, rows: slice, start: int) -> None:
        """Collect from a tile [r, c] of the queries `rows` against the items from `start` on."""
        groups = _groups(scores, self._best.shape[1])
        maxima = _maxima(groups)
        self._raise_floors(maxima, rows)
        fresh = _above(groups, maxima, self._floors[rows], start)
        self._counts[rows] += np.bincount(fresh.rows, minlength=len(scores))
        given_up = torch.from_numpy(self._counts[rows] > self._most).to(scores.device)
        self._floors[rows].masked_fill_(given_up, torch.inf)
        self._found.append(fresh.shifted(rows.start))

    def _raise_floors(self, maxima: torch.Tensor, rows: slice) -> None:
        """Raise the floors of `rows` that some of these maxima reach; other maxima cannot."""
        best, floors = self._best[rows], self._floors[rows]
        reached = (maxima >= floors[:, None]).any(1).nonzero()[:, 0]
        both = torch.cat([best[reached], maxima[reached]], 1)
        highest = best[reached] = both.topk(best.shape[1], 1).values
        bounds = self._bounds.part(rows).part(reached.cpu())
        surely = bounds.score_at_least(bounds.similarity_at_least(highest[:, -1]))
        floors[reached] = torch.maximum(floors[reached], surely.to(floors.device))

    def pairs(self) -> tuple[Pairs, NDArray[np.bool_]]:
        """The pairs, by query, of the queries that have all of theirs; and which those are."""
        complete = self._counts <= self._most
        joined = Pairs(
            np.concatenate([part.rows for part in self._found]),
            np.concatenate([part.columns for part in self._found]),
            np.concatenate([part.scores for part in self._found]),
        )
        joined = joined.take(complete[joined.rows])
        return joined.take(np.argsort(joined.rows, kind="stable")), complete


def score_tiles(
    lowered: torch.Tensor, queries: Queries, items: Items, width: int, allowed: Allowed | None
) -> Iterator[tuple[int, torch.Tensor]]:
    """Tiles [n, c] of scores and the item each starts at, c whole groups of columns; -inf where
    a pair must not be listed."""
    count = len(items.ids)
    buffer = _buffer(len(lowered), min(width, count), items)
    for start in range(0, count, width):
        stop = min(start + width, count)
        scores = _product(lowered, items.tile(start, stop), buffer)
        _unlist(scores, start, stop, queries.own)
        if allowed is not None:
            mask = torch.from_numpy(allowed(queries.index, np.arange(start, stop)))
            scores[:, : stop - start].masked_fill_(~mask.to(scores.device), -torch.inf)
        yield start, scores


def self_tiles(items: Items, width: int) -> Iterator[tuple[slice, slice, torch.Tensor]]:
    """The upper triangle of square tiles of items against items: their rows, columns, scores.

    The product is symmetric, so that the transpose of a tile right of the diagonal serves too.
    """
    count = len(items.ids)
    buffer = _buffer(min(width, count), min(width, count), items)
    for top in range(0, count, width):
        rows = slice(top, min(top + width, count))
        lowered = items.tile(rows.start, rows.stop)[: rows.stop - rows.start]
        if items.copy is not None:
            lowered = turn_into_queries(lowered.clone(), items.vectors.shape[1])
        own = np.arange(rows.start, rows.stop)
        for start in range(top, count, width):
            columns = slice(start, min(start + width, count))
            scores = _product(lowered, items.tile(columns.start, columns.stop), buffer)
            _unlist(scores, columns.start, columns.stop, own)
            yield rows, columns, scores


def _buffer(rows: int, columns: int, items: Items) -> torch.Tensor:
    """Room for one tile: fresh pages for each would cost a quarter of the product."""
    lowering = items.lowering
    return torch.empty(rows * padded(columns), dtype=lowering.score_dtype, device=lowering.device)


def _product(lowered: torch.Tensor, tile: torch.Tensor, buffer: torch.Tensor) -> torch.Tensor:
    scores = buffer[: len(lowered) * len(tile)].view(len(lowered), len(tile))
    if scores.dtype == lowered.dtype:
        return torch.mm(lowered, tile.T, out=scores)
    return torch.mm(lowered, tile.T, out_dtype=scores.dtype)


def _unlist(scores: torch.Tensor, start: int, stop: int, own: Ints) -> None:
    """Set to -inf what is past the last item, and each query's own item."""
    scores[:, stop - start :] = -torch.inf
    rows = np.flatnonzero((own >= start) & (own < stop))
    scores[torch.from_numpy(rows), torch.from_numpy(own[rows] - start)] = -torch.inf


def _groups(scores: torch.Tensor, k: int) -> torch.Tensor:
    """A tile as [n, size, groups].

    A group takes every groups-th column: neighbours in the catalogue, often alike, fall into
    different groups, and so the k-th largest maximum is close to the k-th largest score.
    """
    size = GROUP
    while size > 1 and scores.shape[1] // size < 2 * k:
        size //= 2
    return scores.view(len(scores), size, -1)


def _maxima(groups: torch.Tensor) -> torch.Tensor:
    """The maximum of each group, [n, groups], read along memory."""
    if groups.stride(0) > 1:
        return groups.amax(1)
    # A transposed tile: `amax` would jump through all of it for each maximum, at 20 times the time.
    return groups.permute(1, 2, 0).amax(0).T


def _above(groups: torch.Tensor, maxima: torch.Tensor, floor: torch.Tensor, start: int) -> Pairs:
    """The pairs of a tile that reach their query's floor; only groups that do are read."""
    rows, group = (maxima >= floor[:, None]).nonzero(as_tuple=True)
    members = groups[rows, :, group]
    pair, member = (members >= floor[rows, None]).nonzero(as_tuple=True)
    columns = start + member * groups.shape[2] + group[pair]
    scores = members[pair, member].float()
    return Pairs(rows[pair].cpu().numpy(), columns.cpu().numpy(), scores.cpu().numpy())
