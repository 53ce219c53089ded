"""Exact top-k by cosine: a cheap pass proves most items out, the rest are scored exactly."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fashionrec.neighbours.certificate import Bounds, bounds_of
from fashionrec.neighbours.checks import check_norms, check_vectors
from fashionrec.neighbours.exact import scan
from fashionrec.neighbours.firstpass import Allowed, Candidates, score_tiles, self_tiles
from fashionrec.neighbours.items import Items, Queries, no_floors, padded, rows_at
from fashionrec.neighbours.lists import Floats, Ints, Pairs, TopK, stacked
from fashionrec.neighbours.lowering import LoweredRows, lower, turn_into_queries
from fashionrec.neighbours.settling import settled

# The float32 pass has a far smaller bound; queries it cannot settle have that many near ties.
_MORE = 16
_BLOCK = 1024


@dataclass(frozen=True)
class Search:
    """How to search: k, score `tile` [rows, columns], `candidates` a query may have, and the rule
    `allowed(query rows, item rows) -> bool [queries, items]`."""

    k: int
    tile: tuple[int, int]
    candidates: int
    allowed: Allowed | None = None

    @property
    def most(self) -> int:
        """Candidates past which a query is given up; fewer than a few k would give up all."""
        return max(self.candidates, 4 * self.k)

    def __post_init__(self) -> None:
        """Refuse what cannot be searched by."""
        if self.k < 1 or min(self.tile) < 1 or self.candidates < 1:
            raise ValueError(f"k, tile and candidates must be at least 1; they are {self}")


def top_k(
    queries: Floats,
    query_ids: Ints,
    items: Items,
    k: int,
    *,
    tile: tuple[int, int] = (1024, 8192),
    candidates: int = 256,
    allowed: Allowed | None = None,
    floors: Floats | None = None,
    rows: Ints | None = None,
    lowered: LoweredRows | None = None,
) -> TopK:
    """The k most similar items of each query, without the item of the query's own id.

    `queries` is float32 [n, d], near unit length; `items` comes from `prepare_items`. Similarity
    is `exact.similarities`; ties go to the lower id. A list is short only where fewer than k items
    qualify. Tile, candidates, precision, threads and order do not change the lists.
    `allowed(query rows, item rows)` returns a bool mask [queries, items] of pairs that may be
    listed. Items less similar than a query's floor, float32 [n], are not listed, which saves time.
    With `rows`, int64 [n], only these rows of the array `queries` search, and ids and floors are
    theirs. Those that search several parts of a catalogue are lowered once, by `lower_queries` or
    `lower_items`, and given as `lowered`.
    Raises ValueError for NaN, infinity or a norm above 256, naming the row.
    """
    search = Search(k, tile, candidates, allowed)
    if rows is None:
        check_vectors("queries", queries, query_ids)
        rows = np.arange(len(queries))
    if queries.shape[1] != items.vectors.shape[1]:
        raise ValueError(f"queries are {queries.shape[1]} long, items {items.vectors.shape[1]}")
    least = no_floors(len(rows)) if floors is None else floors
    everyone = Queries(queries, items.positions_of(query_ids), rows, least)
    blocks = [slice(i, i + tile[0]) for i in range(0, len(rows), tile[0])]
    ready = [lowered and lowered.part(b) for b in blocks]
    lists = [
        _search(everyone.take(b), items, search, r) for b, r in zip(blocks, ready, strict=True)
    ]
    return stacked(lists, k).reaching(least)


def lower_queries(queries: Floats, items: Items) -> LoweredRows:
    """Queries, float32 [n, d], as `top_k` multiplies them with any part of these items."""
    return lower(queries, items.lowering, "query")


def lower_items(items: Items, positions: Ints) -> LoweredRows:
    """Items at these positions as queries: what they were lowered to serves again."""
    if items.copy is None:
        return lower_queries(items.vectors[items.stored(positions)], items)
    rows = rows_at(items.copy, items.stored(positions))
    matrix = turn_into_queries(rows, items.vectors.shape[1])
    return LoweredRows(matrix, items.norms[positions], items.errors[positions])


def self_top_k(items: Items, k: int, *, tile: int = 4096, candidates: int = 256) -> TopK:
    """`top_k` of every item among the others, at half the products: each serves both its items.

    Memory grows with the number of items times their candidates, some twenty bytes each.
    """
    tile = padded(tile)
    search = Search(k, (tile, tile), candidates)
    bounds = bounds_of(items.norms, items.errors, items)
    floors = no_floors(len(items.ids))
    found = Candidates(bounds, k, search.most, items.lowering.device, floors)
    for rows, columns, scores in self_tiles(items, tile):
        found.add(scores, rows, columns.start)
        if columns.start > rows.start:
            found.add(scores[:, : columns.stop - columns.start].T, columns, rows.start)
    pairs, complete = found.pairs()
    blocks = (slice(i, i + _BLOCK) for i in range(0, len(items.ids), _BLOCK))
    lists = [_settled_block(b, pairs, complete, bounds, items, search) for b in blocks]
    return stacked(lists, k)


def _settled_block(
    block: slice,
    pairs: Pairs,
    complete: NDArray[np.bool_],
    bounds: Bounds,
    items: Items,
    search: Search,
) -> TopK:
    index = np.arange(len(items.ids))[block]
    queries = Queries(items.vectors, index, index, no_floors(len(index)))
    first, last = np.searchsorted(pairs.rows, [index[0], index[-1] + 1])
    mine = pairs.take(np.arange(first, last)).shifted(-block.start)
    found = settled(mine, bounds.part(block), queries, items, search.k)
    return _redone(found, complete[block], queries, items, search)


def _search(queries: Queries, items: Items, search: Search, lowered: LoweredRows | None) -> TopK:
    lowered = lowered or lower_queries(queries.vectors[queries.index], items)
    found, complete = _pass(queries, lowered, items, search)
    return _redone(found, complete, queries, items, search)


def _redone(
    found: TopK, complete: NDArray[np.bool_], queries: Queries, items: Items, search: Search
) -> TopK:
    """The lists, with those that were given up redone by float32 products."""
    found.certified[:] = complete
    rest = np.flatnonzero(~complete)
    if len(rest):
        found.put(rest, _search_stored(queries.take(rest), items, search))
    return found


def _search_stored(queries: Queries, items: Items, search: Search) -> TopK:
    wider = replace(search, candidates=search.candidates * _MORE)
    stored = items.as_stored()
    lowered = lower_queries(queries.vectors[queries.index], stored)
    found, complete = _pass(queries, lowered, stored, wider)
    for row in np.flatnonzero(~complete):
        query = queries.take(np.array([row]))
        found.put(np.array([row]), scan(query, items, search.k, _may_list(query, items, search)))
    return found


def _may_list(query: Queries, items: Items, search: Search) -> NDArray[np.bool_]:
    columns = np.arange(len(items.ids))
    other: NDArray[np.bool_] = columns != query.own[0]
    return other & search.allowed(query.index, columns)[0] if search.allowed else other


def _pass(
    queries: Queries, lowered: LoweredRows, items: Items, search: Search
) -> tuple[TopK, NDArray[np.bool_]]:
    """Lists of the queries that a first pass proves, and which those are."""
    check_norms("queries", queries.index, lowered.norms)
    bounds = bounds_of(lowered.norms, lowered.errors, items)
    found = Candidates(bounds, search.k, search.most, items.lowering.device, queries.floors)
    everyone = slice(0, len(queries.index))
    width = search.tile[1]
    for start, scores in score_tiles(lowered.matrix, queries, items, width, search.allowed):
        found.add(scores, everyone, start)
    pairs, complete = found.pairs()
    return settled(pairs, bounds, queries, items, search.k), complete
