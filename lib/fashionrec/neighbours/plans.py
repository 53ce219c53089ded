"""From keys and columns of products, now and before, to what must be done for each list."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fashionrec.neighbours.incremental import Plan, fresh_products, merge, plan, whole
from fashionrec.neighbours.items import no_floors
from fashionrec.neighbours.lists import Ints, Pairs, are_among, ranked
from fashionrec.neighbours.requests import Purpose, Request
from fashionrec.neighbours.rules import Rule, columns_of, compile_rule, encode, no_pairs
from fashionrec.settings import ListSettings, NeighbourSettings

# The columns of `neighbours` that lists differ by.
ENTRY = ["list", "product_id", "rank", "neighbour_id", "similarity"]
_CHANGE = "_change"  # as in changes.py, which knows Spark
_KEY = ["list", "product_id", "rank"]


@dataclass(frozen=True)
class ListPlan:
    """A list, its rules, and what to do for it."""

    name: str
    rule: Rule
    plan: Plan

    def of(self, rows: Ints) -> "ListPlan":
        """What of it is to be done for some products, ascending."""
        return replace(self, plan=self.plan.of(rows))

    def requests(self, count: int) -> list[Request]:
        """The searches that it takes among `count` products; none where nothing is to be found."""
        todo = self.plan
        anew = self.whole_lists(todo.search, count)
        enter = Request(self.name, self.rule, todo.entered, todo.fresh, todo.floors, "entering")
        return [request for request in (anew, enter) if len(request.rows)]

    def whole_lists(self, rows: Ints, count: int) -> Request:
        """The search for the lists of `rows` among all of `count` products."""
        floors = no_floors(len(rows))
        return Request(self.name, self.rule, rows, np.arange(count), floors, "list")


@dataclass(frozen=True)
class Before:
    """The keys that the lists were made from which there are; and the entries of each by its name,
    by product, best first."""

    keys: pa.Table
    entries: Callable[[str], pa.Table]


def enabled_lists(settings: NeighbourSettings) -> dict[str, ListSettings]:
    """The lists to keep."""
    return {name: rules for name, rules in settings.lists.items() if rules.enabled}


def columns_needed(settings: NeighbourSettings) -> list[str]:
    """The columns of `products` that the rules of any list look at."""
    lists = enabled_lists(settings).values()
    return sorted({column for rules in lists for column in columns_of(rules)})


def plan_lists(
    settings: NeighbourSettings, keys: pa.Table, before: Before | None = None
) -> Iterator[ListPlan]:
    """What to do for each list that is kept; without what was before, all are made anew.

    keys: product_id, image_sha256 and columns of the products, by product_id.
    """
    everything = pa.concat_tables([keys, keys[:0] if before is None else before.keys])
    names = (name for name in keys.column_names if name != "product_id")
    columns = {name: encode(everything[name]) for name in names}
    ids = everything["product_id"].to_numpy()
    pictures = columns["image_sha256"].codes
    new = len(keys)
    for name, rules in enabled_lists(settings).items():
        both = compile_rule(rules, settings.k, columns, len(ids), settings.reserve)
        rule = both.of_first(new)
        if before is None:
            yield ListPlan(name, rule, whole(new))
            continue
        signs = np.column_stack([pictures, both.signature()])
        fresh = fresh_products(ids[:new], signs[:new], ids[new:], signs[new:])
        yield ListPlan(name, rule, plan(rule, ids[:new], fresh, pairs_of(before.entries(name))))


def pairs_of(entries: pa.Table) -> Pairs:
    """Entries of one list, by product, best first, as pairs of ids."""
    names = ("product_id", "neighbour_id", "similarity")
    return Pairs(*(entries[name].to_numpy() for name in names))


def changed_entries(
    part: ListPlan, ids: Ints, entries: pa.Table, found: Mapping[Purpose, Pairs]
) -> pa.Table:
    """The entries by which a list, or the products of a part of its plan, now differs from
    `entries`, with a column `_change`.

    found: pairs of places among `ids`, as was searched for.
    """
    searched, entering = (found.get(purpose, no_pairs()) for purpose in ("list", "entering"))
    pairs = merge(part.rule, part.plan, searched, entering)
    touched = _touched(part.plan, ids, entries, np.unique(pairs.rows))
    return differences(touched, as_entries(part.name, ids, pairs))


def applied(entries: pa.Table, changes: pa.Table) -> pa.Table:
    """The entries after the changes."""
    kept = entries.select(ENTRY).join(changes.select(_KEY), _KEY, join_type="left anti")
    return pa.concat_tables([kept, changes.filter(pc.field(_CHANGE) != "delete").select(ENTRY)])


def as_entries(name: str, ids: Ints, pairs: Pairs) -> pa.Table:
    """Lists, best first, as entries."""
    ranks = ranked(pairs.rows, pairs.columns, pairs.scores)[1] + 1
    columns: Mapping[str, pa.Array] = {
        "list": pa.array([name] * len(ranks), pa.string()),
        "product_id": pa.array(ids[pairs.rows]),
        "rank": pa.array(ranks.astype(np.int32)),
        "neighbour_id": pa.array(ids[pairs.columns]),
        "similarity": pa.array(pairs.scores),
    }
    return pa.table(columns)


def _touched(plan: Plan, ids: Ints, entries: pa.Table, listed: Ints) -> pa.Table:
    """The old entries of products that are gone, were searched for, lost members, or are `listed`
    anew."""
    products = entries["product_id"].to_numpy()
    redone = np.unique(np.concatenate([plan.search, plan.lost, listed]))
    kept = are_among(products, ids) & ~are_among(products, ids[redone])
    return entries.filter(pa.array(~kept))


def differences(old: pa.Table, new: pa.Table) -> pa.Table:
    """The entries by which `new` differs from `old`, with a column `_change`."""
    before = old.append_column("was", pa.array([True] * len(old), pa.bool_()))
    after = new.append_column("is", pa.array([True] * len(new), pa.bool_()))
    both = after.join(before, _KEY, join_type="full outer", right_suffix="_before")
    was, is_ = (pc.fill_null(both[name], False) for name in ("was", "is"))
    same = pc.and_(
        pc.equal(both["neighbour_id"], both["neighbour_id_before"]),
        pc.equal(both["similarity"], both["similarity_before"]),
    )
    kind = pc.if_else(was, pc.if_else(is_, "update", "delete"), "insert")
    differs = pc.invert(pc.fill_null(same, False))
    return both.append_column(_CHANGE, kind).filter(differs).select([*ENTRY, _CHANGE])
