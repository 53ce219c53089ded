"""What a change of the catalogue does to lists: which to search again, which others it can enter.

Let a product be fresh where it is new, or its picture or what rules ask of it has changed. A list
is the first of all that qualify, as many as it has, and all of them where it is too short to be
published in full. That stays so when members are lost and fresh products enter that come before
its last, until too few are left: then it is searched again, as it is where its product is fresh.
A list in which each value is limited keeps no reserve, and is searched again for any loss: it is,
of each value, the first n, so that a loss lets in what was left out.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fashionrec.neighbours.items import no_floors
from fashionrec.neighbours.lists import Floats, Ints, Pairs, alike, are_among
from fashionrec.neighbours.rules import Bools, Rule, joined, last_members, no_pairs


@dataclass(frozen=True)
class Plan:
    """What to do for a list; products are places in the new catalogue.

    kept: what holds of the old lists; search: products to search for among all; lost: others whose
    lists lost a member; entered: products, those that lost one among them, whose lists only `fresh`
    ones can enter, at `floors` or above, float32 [entered].
    """

    kept: Pairs
    search: Ints
    lost: Ints
    entered: Ints
    floors: Floats
    fresh: Ints

    def of(self, rows: Ints) -> "Plan":
        """What of it is to be done for some products, ascending."""
        entered = alike(self.entered, rows)
        return Plan(
            self.kept.take(alike(self.kept.rows, rows)),
            rows[are_among(rows, self.search)],
            rows[are_among(rows, self.lost)],
            self.entered[entered],
            self.floors[entered],
            self.fresh,
        )


def whole(count: int) -> Plan:
    """The plan that searches for every product."""
    nothing = np.empty(0, np.int64)
    return Plan(no_pairs(), np.arange(count), nothing, nothing, no_floors(0), nothing)


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
    before, after = (
        np.bincount(row[which], minlength=len(ids)) for which in (stays, stays & member)
    )
    again = fresh | _is_used_up(rule, before, after)
    kept = Pairs(row, column, old.scores).take(stays & member)
    kept = kept.take(~again[kept.rows])
    lost = np.flatnonzero((after < before) & ~again)
    entered = np.flatnonzero(~again) if fresh.any() else lost
    floors = last_members(kept, rule, len(ids))[0][entered]
    return Plan(kept, np.flatnonzero(again), lost, entered, floors, np.flatnonzero(fresh))


def _is_used_up(rule: Rule, before: Ints, after: Ints) -> Bools:
    """Which lists, so long before and after they lost members, may now lack some that qualify."""
    limited = rule.per.shape[1] > 0
    short = (after < rule.published) & (before >= rule.published)
    used_up: Bools = (after < before) & (limited | short)
    return used_up


def merge(rule: Rule, plan: Plan, searched: Pairs, entering: Pairs) -> Pairs:
    """The lists that may have changed: searched for, entered, or without members they had."""
    rows = np.unique(np.append(plan.kept.rows, entering.rows))
    kept = Pairs(np.searchsorted(rows, plan.kept.rows), plan.kept.columns, plan.kept.scores)
    scores, columns = last_members(kept, rule, len(rows))
    place = np.searchsorted(rows, entering.rows)
    last, column = scores[place], columns[place]
    tied = (entering.scores == last) & (entering.columns < column)
    entering = entering.take((entering.scores > last) | tied)
    touched = np.isin(plan.kept.rows, np.append(entering.rows, plan.lost))
    return rule.best(joined([searched, plan.kept.take(touched), entering]))


def _places(ids: Ints, of: Ints) -> Ints:
    """The place of each id among `ids`, -1 where it is not there."""
    place = pc.index_in(pa.array(of), pa.array(ids))
    places: Ints = pc.fill_null(place, -1).to_numpy().astype(np.int64)
    return places
