"""What a change of the catalogue does to lists: which to search again, which others it can enter.

Let a product be fresh where it is new, or its picture or what rules ask of it has changed. A list
must be searched again where its product is fresh, or where it lost a member; into the others only
fresh products can come, by at least the similarity of a full list's last. Both hold because a list
is, of each value of its limited column, the first n, and of those the first k: what was left out
by the old products is left out still.
"""

from dataclasses import dataclass

import numpy as np

from fashionrec.neighbours.items import no_floors
from fashionrec.neighbours.lists import Floats, Ints, Pairs
from fashionrec.neighbours.rules import Bools, Rule, joined, last_scores, no_pairs


@dataclass(frozen=True)
class Plan:
    """What to do for a list; products are places in the new catalogue.

    kept: what holds of the old lists; search: products to search for among all; entered: products
    whose lists only `fresh` ones can enter, at `floors` or above, float32 [entered].
    """

    kept: Pairs
    search: Ints
    entered: Ints
    floors: Floats
    fresh: Ints


def whole(count: int) -> Plan:
    """The plan that searches for every product."""
    nothing = np.empty(0, np.int64)
    return Plan(no_pairs(), np.arange(count), nothing, no_floors(0), nothing)


def fresh_products(ids: Ints, keys: Ints, old_ids: Ints, old_keys: Ints) -> Bools:
    """Which products of `ids` [p] are not among `old_ids` with the same row of `keys` [p, c]."""
    place = np.searchsorted(old_ids, ids).clip(max=max(len(old_ids) - 1, 0))
    if not len(old_ids):
        return np.ones(len(ids), np.bool_)
    same: Bools = (old_ids[place] == ids) & (old_keys[place] == keys).all(1)
    return ~same


def plan(rule: Rule, ids: Ints, fresh: Bools, old: Pairs) -> Plan:
    """What to do for the products `ids`, of whom some are fresh; `old`: lists, as pairs of ids in
    order of product, best first."""
    row, column = _places(ids, old.rows), _places(ids, old.columns)
    changed = np.append(fresh, True)  # the last, at -1, is of products that are gone
    stays, member = ~changed[row], ~changed[column]
    again = fresh.copy()
    again[row[stays & ~member]] = True
    kept = Pairs(row, column, old.scores).take(stays & member)
    kept = kept.take(~again[kept.rows])
    entered = np.flatnonzero(~again) if fresh.any() else np.empty(0, np.int64)
    floors = last_scores(kept, rule, len(ids))[entered]
    return Plan(kept, np.flatnonzero(again), entered, floors, np.flatnonzero(fresh))


def merge(rule: Rule, plan: Plan, searched: Pairs, entering: Pairs) -> Pairs:
    """The lists that may have changed: those searched for, and those that others entered."""
    touched = plan.kept.take(np.isin(plan.kept.rows, entering.rows))
    return rule.best(joined([searched, touched, entering]))


def _places(ids: Ints, of: Ints) -> Ints:
    """The place of each id among ascending `ids`, -1 where it is not there."""
    if not len(ids):
        return np.full(len(of), -1, np.int64)
    place = np.searchsorted(ids, of).clip(max=len(ids) - 1)
    return np.where(ids[place] == of, place, -1)
