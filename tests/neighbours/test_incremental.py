"""Lists that follow a catalogue's changes equal lists that are made anew."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from fashionrec.config import load
from fashionrec.neighbours import incremental
from fashionrec.neighbours.items import Items, prepare_items
from fashionrec.neighbours.local import pairs_here, search_here
from fashionrec.neighbours.plans import (
    ENTRY,
    Before,
    ListPlan,
    as_entries,
    changed_entries,
    columns_needed,
    plan_lists,
)
from fashionrec.settings import ListSettings

RAW = load().neighbours.lists["similar"]
LISTS = {
    "raw": RAW,
    "styles": ListSettings(
        enabled=True,
        match=["gender"],
        universal=["gender=a"],
        differ=["product_display_name"],
        exclude=[],
        at_most=1,
        at_most_per="product_display_name",
        min_similarity=-0.5,
        max_similarity=0.99,
    ),
    "look": RAW.model_copy(
        update={
            "match": ["gender"],
            "differ": ["usage"],
            "exclude": ["year=c"],
            "at_most": 1,
            "at_most_per": "usage",
        }
    ),
    "two": RAW.model_copy(update={"at_most": 2, "at_most_per": "usage"}),
}
SETTINGS = load().neighbours.model_copy(update={"k": 3, "reserve": 2, "tile": 7, "lists": LISTS})
COLUMNS = columns_needed(SETTINGS)
EMPTY = as_entries("", np.empty(0, np.int64), incremental.no_pairs())
ORDER = [(name, "ascending") for name in ("list", "product_id", "rank")]
Product = dict[str, str]


def keys_of(products: dict[int, Product]) -> pa.Table:
    ids = sorted(products)
    columns = {name: pa.array([products[i][name] for i in ids], pa.string()) for name in COLUMNS}
    shas = pa.array([products[i]["picture"] for i in ids], pa.string())
    return pa.table({"product_id": pa.array(ids, pa.int64()), "image_sha256": shas, **columns})


def pictures_of(keys: pa.Table, model: int) -> tuple[np.ndarray, Items]:
    """The picture of each product, and the vectors of pictures."""
    shown, pictures = np.unique(keys["image_sha256"].to_numpy(), return_inverse=True)
    vectors = np.array([vector_of(name, model) for name in shown], np.float32).reshape(-1, 3)
    return pictures, prepare_items(vectors, np.arange(len(vectors)))


def vector_of(picture: str, model: int) -> np.ndarray:
    """Coarse, so that ties abound."""
    rng = np.random.default_rng([int(picture), model])
    vector = rng.integers(-2, 3, 3) + np.array([0, 0, 1e-3])
    return vector / np.linalg.norm(vector)


def anew(products: dict[int, Product], model: int) -> pa.Table:
    keys = keys_of(products)
    plans = list(plan_lists(SETTINGS, keys))
    requests = [request for part in plans for request in part.requests(len(keys))]
    ids, (pictures, items) = keys["product_id"].to_numpy(), pictures_of(keys, model)
    found = search_here(requests, ids, pictures, items, SETTINGS.tile)
    return found.select(ENTRY).sort_by(ORDER)


def published(entries: pa.Table) -> pa.Table:
    """What `neighbours` holds of the lists that are kept."""
    return entries.filter(pc.field("rank") <= SETTINGS.k)


def applied(entries: pa.Table, changes: pa.Table) -> pa.Table:
    """What Delta's MERGE makes of the entries; each change must be of its kind."""
    rows = {(e["list"], e["product_id"], e["rank"]): e for e in entries.to_pylist()}
    for entry in changes.to_pylist():
        kind, key = entry.pop("_change"), (entry["list"], entry["product_id"], entry["rank"])
        assert (key in rows) == (kind != "insert")
        assert rows.get(key) != entry
        if kind == "delete":
            del rows[key]
        else:
            rows[key] = entry
    return pa.Table.from_pylist(list(rows.values()), EMPTY.schema).sort_by(ORDER)


def followed(
    products: dict[int, Product], before: dict[int, Product], entries: pa.Table, model: int
) -> tuple[pa.Table, list[ListPlan]]:
    """The entries after a night that changed `before` to `products`, and what it planned."""
    keys = keys_of(products)
    lists = {name: entries.filter(pc.field("list") == name).sort_by(ORDER) for name in LISTS}
    plans = list(plan_lists(SETTINGS, keys, Before(keys_of(before), lists.__getitem__)))
    changes = [changed_by(part, keys, lists[part.name], model) for part in plans]
    return applied(entries, pa.concat_tables(changes)), plans


def changed_by(part: ListPlan, keys: pa.Table, entries: pa.Table, model: int) -> pa.Table:
    """What executors say of a list, tile by tile, and then of products that are gone."""
    ids, (pictures, items) = keys["product_id"].to_numpy(), pictures_of(keys, model)
    products, nobody = entries["product_id"].to_numpy(), np.empty(0, np.int64)
    gone = entries.filter(pa.array(~np.isin(products, ids)))
    changes = [changed_entries(part.of(nobody), ids, gone, {})]
    for request in part.requests(len(keys)):
        for places in request.tiles(None, pictures, SETTINGS.tile):
            rows = np.sort(request.rows[places])
            tile = replace(request, rows=request.rows[places], floors=request.floors[places])
            found = {request.purpose: pairs_here(tile, pictures, items, SETTINGS.tile)}
            own = entries.filter(pa.array(np.isin(products, ids[rows])))
            changes.append(changed_entries(part.of(rows), ids, own, found))
    return pa.concat_tables(changes)


def draw(seed: int) -> Product:
    rng = np.random.default_rng(seed)
    values = {name: "abc"[rng.integers(3)] for name in COLUMNS}
    return values | {
        "picture": str(rng.integers(25)),
        "product_display_name": f"name {rng.integers(9)}",
    }


seeds = st.integers(0, 2**32 - 1)


class Nights(RuleBasedStateMachine):
    """Random changes, then nights; each night must leave what a full rebuild would."""

    @initialize(seed=seeds, count=st.integers(0, 25))
    def open_shop(self, seed: int, count: int) -> None:
        self.model = 0
        self.products = {10 * i: draw(seed + i) for i in range(count)}
        self.before = dict(self.products)
        self.entries = anew(self.products, self.model)

    @rule(seed=seeds, product=st.integers(0, 250))
    def insert_or_replace(self, seed: int, product: int) -> None:
        self.products[product] = draw(seed)

    @precondition(lambda self: self.products)
    @rule(data=st.data(), picture=st.integers(0, 24))
    def repaint(self, data: st.DataObject, picture: int) -> None:
        self._change(data, "picture", str(picture))

    @precondition(lambda self: self.products)
    @rule(data=st.data(), column=st.sampled_from(COLUMNS), value=st.sampled_from("abcd"))
    def reclassify(self, data: st.DataObject, column: str, value: str) -> None:
        self._change(data, column, value)

    @precondition(lambda self: self.products)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        del self.products[data.draw(st.sampled_from(sorted(self.products)))]

    @rule()
    def change_model(self) -> None:
        """Cannot be continued from: all is made anew."""
        self.model += 1
        self.before = dict(self.products)
        self.entries = anew(self.products, self.model)

    @rule()
    def night(self) -> None:
        self.entries, _ = followed(self.products, self.before, self.entries, self.model)
        self.before = dict(self.products)
        assert published(self.entries).equals(published(anew(self.products, self.model)))

    @rule()
    def lose_reserve(self) -> None:
        self.entries = published(self.entries)

    def teardown(self) -> None:
        if hasattr(self, "products"):
            self.night()

    def _change(self, data: st.DataObject, column: str, value: str) -> None:
        product = data.draw(st.sampled_from(sorted(self.products)))
        self.products[product] = self.products[product] | {column: value}


TestNights = Nights.TestCase
TestNights.settings = settings(max_examples=40, stateful_step_count=10, deadline=None)


def shop(count: int) -> dict[int, Product]:
    return {i: draw(i) for i in range(count)}


def test_nothing_changed_searches_nothing() -> None:
    entries = anew(shop(30), 0)
    after, plans = followed(shop(30), shop(30), entries, 0)
    assert after.equals(entries)
    assert [part.requests(30) for part in plans] == [[], [], [], []]


def test_only_lists_that_a_change_can_reach_are_searched() -> None:
    before = shop(60)
    entries = anew(before, 0)
    products = {i: p for i, p in before.items() if i != 7} | {99: draw(99)}
    _, plans = followed(products, before, entries, 0)
    ids = keys_of(products)["product_id"].to_numpy()
    seven = entries.filter(pc.field("neighbour_id") == 7).to_pylist()
    lost = [{e["product_id"] for e in seven if e["list"] == name} for name in LISTS]
    assert min(map(len, lost[:2])) > 0
    assert ids[plans[0].plan.search].tolist() == [99]  # the others have a reserve
    assert set(ids[plans[0].plan.lost]) == lost[0]
    assert ids[plans[0].plan.fresh].tolist() == [99]
    for part, without in zip(plans[1:], lost[1:], strict=True):
        assert set(ids[part.plan.search]) == without | {99}  # a limited list has none


def test_a_list_is_searched_again_once_its_reserve_is_used_up() -> None:
    before = shop(60)
    entries = anew(before, 0)
    raw = entries.filter(pc.field("list") == "raw").filter(pc.field("product_id") == 0)
    members = raw["neighbour_id"].to_pylist()
    assert len(members) == SETTINGS.k + SETTINGS.reserve
    for gone, again in [(2, False), (3, True)]:
        products = {i: p for i, p in before.items() if i not in members[:gone]}
        after, plans = followed(products, before, entries, 0)
        assert (0 in plans[0].plan.search) == again
        assert published(after).equals(published(anew(products, 0)))


def test_a_column_reaches_only_lists_whose_rules_look_at_it() -> None:
    before = shop(30)
    products = before | {3: before[3] | {"gender": "d"}}
    _, plans = followed(products, before, anew(before, 0), 0)
    assert {part.name for part in plans if part.requests(30)} == {"styles", "look"}


@pytest.mark.parametrize("broken", ["search", "entered", "lost"])
def test_the_comparison_notices_a_list_that_is_left_out(
    broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = shop(40)
    products = {i: p for i, p in before.items() if i % 9} | {100 + i: draw(i) for i in range(9)}
    good = incremental.plan

    def lazy(*args: object) -> incremental.Plan:
        made = good(*args)  # type: ignore[arg-type]
        if broken == "search":
            return replace(made, search=made.search[:1])
        if broken == "lost":
            return replace(made, lost=made.lost[:0])
        return replace(made, entered=made.entered[:1], floors=made.floors[:1])

    entries, expected = anew(before, 0), published(anew(products, 0))
    assert published(followed(products, before, entries, 0)[0]).equals(expected)
    monkeypatch.setattr("fashionrec.neighbours.plans.plan", lazy)
    assert not published(followed(products, before, entries, 0)[0]).equals(expected)


def test_a_newcomer_that_ties_with_the_last_does_not_follow_it() -> None:
    """Product 6 was left out of the list of 0, and would come before 7."""
    near = ["1"] * 4 + ["2"] * 4  # the pictures of products 0 to 7
    shop = {i: draw(0) | {"picture": picture} for i, picture in enumerate(near)}
    nights = [range(7), [0, 2, 3, 4, 5, 6, 7], [0, 4, 5, 6, 7]]
    before = {i: shop[i] for i in nights[0]}
    entries = anew(before, 0)
    for present in nights[1:]:
        products = {i: shop[i] for i in present}
        entries, _ = followed(products, before, entries, 0)
        assert published(entries).equals(published(anew(products, 0)))
        before = products
