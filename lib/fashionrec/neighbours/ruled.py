"""Exact lists under rules: the search looks on until a list is full or nothing is left."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from fashionrec.neighbours.cells import Cell, Cells
from fashionrec.neighbours.inverted import InvertedLists
from fashionrec.neighbours.items import Items
from fashionrec.neighbours.lists import Floats, Ints, Pairs, TopK
from fashionrec.neighbours.lowering import LoweredRows
from fashionrec.neighbours.rules import Bools, Rule, joined
from fashionrec.neighbours.topk import lower_items, top_k

# A row that was not filled asks for so many times as much.
_FURTHER = 4
# Columns of a score tile.
WIDTH = 8192


@dataclass(frozen=True)
class Found:
    """Lists as pairs of products, best first; `unproved`: the places of rows that the first pass
    of a search could not prove."""

    pairs: Pairs
    unproved: Ints


@dataclass(frozen=True)
class _Asking:
    """Distinct pictures of the products `rows` [n], at `places` [q] among `vectors`; `query` [n]:
    which each has; `floors` [q]."""

    rows: Ints
    query: Ints
    vectors: Floats
    places: Ints
    floors: Floats
    lowered: LoweredRows


def tiles(rule: Rule, rows: Ints, size: int, alike: Ints | None = None) -> list[Ints]:
    """Cut the products `rows` into tiles that search the same cells, as places in `rows`; their
    numbers `alike` [rows], where given, are the same in a tile."""
    keys = np.column_stack([rule.match[rows], np.zeros_like(rows) if alike is None else alike])
    order = np.lexsort(keys.T)
    starts = np.flatnonzero((keys[order][1:] != keys[order][:-1]).any(1)) + 1
    classes = np.split(order, starts) if len(rows) else []
    return [part[i : i + size] for part in classes for i in range(0, len(part), size)]


def search(
    rule: Rule,
    cells: Cells,
    pictures: Ints,
    items: Items,
    rows: Ints,
    floors: Floats,
    lists: InvertedLists | None = None,
) -> Found:
    """The lists of products `rows`, alike in what they match, among the products of `cells`.

    Product i has the picture `pictures[i]` of `items`. Neighbours less similar than a row's floor,
    float32 [rows], may be left out. With inverted lists the rows' pictures must be in the same one.
    """
    asking = _ask(rule, pictures, items, rows, floors)
    searched = cells.searched_by(rule, int(rows[0]))
    if lists is not None:
        searched = [cell.near(int(pictures[rows[0]]), lists) for cell in searched]
    parts = [part for cell in searched for part in _search_cell(rule, cells, cell, asking)]
    pairs = rule.best(joined([part.pairs for part in parts]))
    unproved = np.concatenate([rows[:0], *(part.unproved for part in parts)])
    return Found(pairs, np.unique(unproved))


def _ask(rule: Rule, pictures: Ints, items: Items, rows: Ints, floors: Floats) -> _Asking:
    shown, query = np.unique(pictures[rows], return_inverse=True)
    least = np.full(len(shown), np.inf, np.float32)
    np.minimum.at(least, query, np.maximum(floors, np.float32(rule.least)))
    places = items.stored(shown)
    return _Asking(rows, query, items.vectors, places, least, lower_items(items, shown))


def _search_cell(rule: Rule, cells: Cells, cell: Cell, asking: _Asking) -> Iterator[Found]:
    waiting = np.flatnonzero(cells.admits(cell, rule, asking.rows))
    fetch = cells.first_fetch(rule)
    while len(waiting):
        queries, place = np.unique(asking.query[waiting], return_inverse=True)
        found = _top_k(cell, asking, queries, fetch)
        pairs, places = cell.pairs(asking.rows[waiting], place, found)
        keep = rule.may_list(pairs) & _is_sure(pairs, place[places], found)
        pairs = rule.best(pairs.take(keep))
        lengths = np.bincount(pairs.rows, minlength=asking.rows.max() + 1)[asking.rows[waiting]]
        done = (lengths >= cells.needed(rule)) | (found.ids[place, -1] < 0)
        finished = np.isin(pairs.rows, asking.rows[waiting[done]])
        yield Found(pairs.take(finished), waiting[~found.certified[place]])
        waiting, fetch = waiting[~done], fetch * _FURTHER


def _top_k(cell: Cell, asking: _Asking, queries: Ints, fetch: int) -> TopK:
    # One more than there are: a last place that stays empty says that nothing is left.
    fetch = min(fetch, len(cell.items.ids) + 1)
    # A query may find its own picture, which other products may share; so it goes by no item's id.
    nobody = np.full(len(queries), np.iinfo(np.int64).max)
    lowered = asking.lowered
    if len(queries) < len(asking.places):
        lowered = lowered.part(torch.from_numpy(queries))
    return top_k(
        asking.vectors,
        nobody,
        cell.items,
        fetch,
        tile=(max(len(queries), 1), WIDTH),
        floors=asking.floors[queries],
        rows=asking.places[queries],
        lowered=lowered,
    )


def _is_sure(pairs: Pairs, queries: Ints, found: TopK) -> Bools:
    """Whether no product of a picture that was not found can come before each pair's.

    Pictures come by similarity, then by their lowest product.
    """
    lowest, least = found.ids[queries, -1], found.similarities[queries, -1]
    tied = (pairs.scores == least) & (pairs.columns <= lowest)
    sure: Bools = (lowest < 0) | (pairs.scores > least) | tied
    return sure
