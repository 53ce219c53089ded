"""From the candidates of a first pass to lists: exact scores for those that may still be listed."""

import numpy as np
import torch
from numpy.typing import NDArray

from fashionrec.neighbours.certificate import Bounds
from fashionrec.neighbours.exact import pair_similarities
from fashionrec.neighbours.items import Items, Queries
from fashionrec.neighbours.lists import Floats, Pairs, TopK, listed, ranked


def settled(pairs: Pairs, bounds: Bounds, queries: Queries, items: Items, k: int) -> TopK:
    """Lists from candidates. The k best by score give each query that has more a similarity to
    beat, which spares most of the others an exact score."""
    order, ranks = ranked(pairs.rows, pairs.columns, pairs.scores)
    first, rest = pairs.take(order[ranks < k]), pairs.take(order[ranks >= k])
    exact = _rescored(first, queries, items)
    rest = rest.take(_may_beat(rest, bounds, _least(exact, len(queries.index))))
    return listed(exact.and_also(_rescored(rest, queries, items)), items.ids, k, len(queries.index))


def _rescored(pairs: Pairs, queries: Queries, items: Items) -> Pairs:
    columns = items.stored(pairs.columns)
    rows = queries.index[pairs.rows]
    scores = pair_similarities(queries.vectors, rows, items.vectors, columns)
    return Pairs(pairs.rows, pairs.columns, scores)


def _least(pairs: Pairs, count: int) -> Floats:
    """The least similarity of each query."""
    least = np.full(count, 1.0, np.float32)
    np.minimum.at(least, pairs.rows, pairs.scores)
    return least


def _may_beat(pairs: Pairs, bounds: Bounds, beat: Floats) -> NDArray[np.bool_]:
    needed = bounds.score_at_least(torch.from_numpy(beat).double()).float().numpy()
    may: NDArray[np.bool_] = pairs.scores >= needed[pairs.rows]
    return may
