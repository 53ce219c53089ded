"""A catalogue cut into cells, inside which a rule's few-valued columns are constant.

What a cell's products share need not be looked at pair by pair: a product searches the cells that
match it, and a limit of n per value takes n from each of that value's cells.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from fashionrec.neighbours.inverted import InvertedLists
from fashionrec.neighbours.items import Items
from fashionrec.neighbours.lists import Ints, Pairs, TopK, stretches
from fashionrec.neighbours.rules import Bools, Rule

# Columns of more values would make more cells than a search of small cells is worth.
_FEW = 64


@dataclass(frozen=True)
class Cell:
    """Pictures of alike products: `items`, whose ids are each picture's lowest product; the
    products of the i-th are members[starts[i] : starts[i + 1]], ascending.

    `product` is an example, to ask what all have.
    """

    product: int
    items: Items
    starts: Ints
    members: Ints

    def pairs(self, rows: Ints, queries: Ints, found: TopK) -> tuple[Pairs, Ints]:
        """Products of found pictures beside the products `rows`, whose picture is query
        `queries` of the search; and the place in `rows` of each pair."""
        place, slot = np.nonzero(found.ids[queries] >= 0)
        query = queries[place]
        columns, lengths = self._of(self.items.positions_of(found.ids[query, slot]))
        scores = np.repeat(found.similarities[query, slot], lengths)
        places = np.repeat(place, lengths)
        return Pairs(rows[places], columns, scores), places

    def near(self, picture: int, lists: InvertedLists) -> "Cell":
        """What of the cell a search from a picture looks at."""
        near = lists.near(picture, self.items.stored(np.arange(len(self.items.ids))))
        if near.all():
            return self
        positions = np.flatnonzero(near)
        members, lengths = self._of(positions)
        items = self.items.part(positions, self.items.ids[positions])
        return Cell(self.product, items, np.append(0, np.cumsum(lengths)), members)

    def _of(self, positions: Ints) -> tuple[Ints, Ints]:
        """The products of the pictures at these positions, and how many each has."""
        lengths = self.starts[positions + 1] - self.starts[positions]
        return self.members[stretches(self.starts[positions], lengths)], lengths


@dataclass(frozen=True)
class Cells:
    """The cells of a rule; `differ`: the columns of rule.differ that are constant in a cell;
    `per`: whether rule.per is; `open`: whether a pair may break the rules all the same."""

    cells: list[Cell]
    differ: Ints
    per: bool
    open: bool

    def searched_by(self, rule: Rule, product: int) -> list[Cell]:
        """The cells that match a product."""
        examples = np.array([cell.product for cell in self.cells], np.int64)
        matches = (rule.match[examples] == rule.match[product]) | rule.universal[examples]
        return [self.cells[i] for i in np.flatnonzero(matches.all(1))]

    def admits(self, cell: Cell, rule: Rule, rows: Ints) -> Bools:
        """Which of these products may have a neighbour in the cell, bool [rows]."""
        differs = rule.differ[rows][:, self.differ] != rule.differ[cell.product, self.differ]
        admitted: Bools = differs.all(1)
        return admitted

    def needed(self, rule: Rule) -> int:
        """How many neighbours of one cell a list can hold."""
        return min(rule.k, rule.at_most) if self.per else rule.k

    def first_fetch(self, rule: Rule) -> int:
        """How many pictures to ask for at first: with the product's own, where it may be there."""
        own = 0 if len(self.differ) else 1
        return self.needed(rule) * (4 if self.open else 1) + own


def cut(rule: Rule, pictures: Ints, among: Ints, items: Items) -> Cells:
    """Cut the products `among` into cells; product i has the picture `pictures[i]` of `items`."""
    few, per = _few_valued(rule)
    is_open = bool(not few.all() or (rule.per.shape[1] and not per) or rule.most < 1)
    cells = [_cell(group, pictures, items) for group in _groups(rule, pictures, among)]
    return Cells(cells, np.flatnonzero(few), per, is_open)


def largest_cell(rule: Rule, pictures: Ints, among: Ints) -> int:
    """The number of pictures in the largest cell that `cut` would make."""
    groups = _groups(rule, pictures, among)
    return max((len(np.unique(pictures[group])) for group in groups), default=0)


def _few_valued(rule: Rule) -> tuple[Bools, bool]:
    """Which columns of rule.differ, and whether that of rule.per, have few values."""
    few = np.array([_is_few(column) for column in rule.differ.T], np.bool_)
    return few, rule.per.shape[1] > 0 and _is_few(rule.per[:, 0])


def _groups(rule: Rule, pictures: Ints, among: Ints) -> list[Ints]:
    """The products of each cell, without those that no list can need."""
    few, per = _few_valued(rule)
    among = np.sort(among[~rule.excluded[among]])
    alike = [rule.match, rule.differ[:, few], rule.per[:, : int(per)]]
    rest = [pictures[:, None], rule.differ[:, ~few], rule.per[:, int(per) :]]
    kept = among[_repetitions(np.column_stack(rest + alike)[among]) <= rule.k]
    label = _labels(np.column_stack([np.zeros_like(pictures), *alike])[kept])
    return [kept[label == i] for i in range(label.max(initial=-1) + 1)]


def _cell(products: Ints, pictures: Ints, items: Items) -> Cell:
    shown, first, picture = np.unique(pictures[products], return_index=True, return_inverse=True)
    lowest = products[first]
    by_lowest = np.argsort(lowest)
    members = products[np.lexsort((products, lowest[picture]))]
    starts = np.append(0, np.cumsum(np.bincount(picture)[by_lowest]))
    part = items.part(shown[by_lowest], lowest[by_lowest])
    return Cell(int(products[0]), part, starts, members)


def _is_few(codes: Ints) -> bool:
    return len(np.unique(codes)) <= _FEW


def _labels(keys: Ints) -> Ints:
    """Number equal rows alike, from 0: by hashing column after column, as sorting takes longer."""
    labels = np.zeros(len(keys), np.int64)
    for codes in keys.T:
        both = labels * (codes.max(initial=0) + 2) + codes + 1
        labels = pa.array(both).dictionary_encode().indices.to_numpy().astype(np.int64)
    return labels


def _repetitions(keys: Ints) -> Ints:
    """How many equal rows come before each row: of products that share a picture and all that
    rules look at, only the first k + 1 can be in a list."""
    labels = _labels(keys)
    order = np.argsort(labels, kind="stable")
    counts = np.empty(len(keys), np.int64)
    counts[order] = np.arange(len(keys)) - np.searchsorted(labels[order], labels[order])
    return counts
