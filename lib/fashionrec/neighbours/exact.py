"""Exact similarities, and the slow reference."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray

from fashionrec.neighbours.items import Items, Queries
from fashionrec.neighbours.lists import Floats, Ints, Pairs, TopK, listed, ranked

# Sixteen pairs of 2,048 float64 stay in a second-level cache.
_PAIRS = 16
# Fewer pairs are not worth a thread.
_SHARE = 256
_SCAN = 1024


def similarities(left: Floats, right: Floats) -> Floats:
    """Cosines of row pairs of near-unit vectors [p, d]: float32 [p].

    The sum is float64 over contiguous rows, so that a pair has one similarity whatever the
    company it is computed in; then clamped to [-1, 1] and rounded to float32.
    """
    products = left.astype(np.float64, order="C") * right.astype(np.float64, order="C")
    cosines: Floats = products.sum(-1).clip(-1.0, 1.0).astype(np.float32)
    return cosines


def pair_similarities(queries: Floats, rows: Ints, items: Floats, columns: Ints) -> Floats:
    """Similarities of queries[rows] and items[columns], in order: float32 [p]."""
    found = np.empty(len(rows), np.float32)

    def score(share: slice) -> None:
        for start in range(share.start, share.stop, _PAIRS):
            part = slice(start, min(start + _PAIRS, share.stop))
            found[part] = similarities(queries[rows[part]], items[columns[part]])

    threads = torch.get_num_threads()
    size = max(_SHARE, -(-len(rows) // threads))
    shares = [slice(i, min(i + size, len(rows))) for i in range(0, len(rows), size)]
    if len(shares) > 1:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(score, shares))
    else:  # a thread takes longer to start than the few pairs of a small search
        score(slice(0, len(rows)))
    return found


def scan(query: Queries, items: Items, k: int, may_list: NDArray[np.bool_]) -> TopK:
    """The list of one query by looking at every item that may be listed."""
    nothing = np.empty(0, np.int64)
    best = Pairs(nothing, nothing, np.empty(0, np.float32))
    for start in range(0, len(items.ids), _SCAN):
        fresh = start + np.flatnonzero(may_list[start : start + _SCAN])
        row = np.full_like(fresh, query.index[0])
        scores = pair_similarities(query.vectors, row, items.vectors, items.stored(fresh))
        best = best.and_also(Pairs(np.zeros_like(fresh), fresh, scores))
        order, _ = ranked(best.rows, items.ids[best.columns], best.scores)
        best = best.take(order[:k])
    return listed(best, items.ids, k, 1)


def brute_force(
    queries: Floats, query_ids: Ints, items: Floats, item_ids: Ints, k: int
) -> tuple[Ints, Floats]:
    """Ids [n, k] and similarities [n, k] by the definition, padded with -1 and nan."""
    ids = np.full((len(queries), k), -1, np.int64)
    found = np.full((len(queries), k), np.nan, np.float32)
    for row, (query, own) in enumerate(zip(queries, query_ids, strict=True)):
        scores = similarities(np.tile(query, (len(items), 1)), items)
        best = [i for i in np.lexsort((item_ids, -scores)) if item_ids[i] != own][:k]
        ids[row, : len(best)] = item_ids[best]
        found[row, : len(best)] = scores[best]
    return ids, found
