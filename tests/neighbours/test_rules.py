"""Lists under rules against brute force over products, one pair at a time."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fashionrec.config import load
from fashionrec.neighbours.catalogue import by_product
from fashionrec.neighbours.cells import cut
from fashionrec.neighbours.exact import similarities
from fashionrec.neighbours.items import no_floors, prepare_items
from fashionrec.neighbours.lists import Floats, Ints
from fashionrec.neighbours.ruled import search, tiles
from fashionrec.neighbours.rules import Rule, compile_rule, encode, joined
from fashionrec.settings import ListSettings

Lists = list[tuple[int, int, float]]
RAW = load().neighbours.lists["similar"]
COLUMNS = ("gender", "usage", "sub_category", "product_display_name", "year")


@dataclass(frozen=True)
class Shop:
    """Products with attributes and pictures, some of which several products share."""

    attributes: dict[str, list[str | None]]
    pictures: Ints
    vectors: Floats

    def __len__(self) -> int:
        return len(self.pictures)


def brute_force(shop: Shop, rule: ListSettings, k: int) -> Lists:
    """(product, neighbour, similarity), straight from the definition."""
    return [entry for product in range(len(shop)) for entry in list_of(shop, rule, k, product)]


def list_of(shop: Shop, rule: ListSettings, k: int, product: int) -> Lists:
    own = shop.vectors[shop.pictures[product]][None]
    scored = [
        (-float(similarities(own, shop.vectors[shop.pictures[other]][None])[0]), other)
        for other in range(len(shop))
        if other != product and fits(shop, rule, product, other)
    ]
    chosen: Lists = []
    for score, other in sorted(scored):
        value = shop.attributes[rule.at_most_per][other]
        same = [o for _, o, _ in chosen if shop.attributes[rule.at_most_per][o] == value]
        within = rule.min_similarity <= -score <= rule.max_similarity
        if within and (not rule.at_most or len(same) < rule.at_most) and len(chosen) < k:
            chosen.append((product, other, -score))
    return chosen


def fits(shop: Shop, rule: ListSettings, product: int, other: int) -> bool:
    values = shop.attributes
    return (
        all(
            values[c][product] == values[c][other] or f"{c}={values[c][other]}" in rule.universal
            for c in rule.match
        )
        and all(values[c][product] != values[c][other] for c in rule.differ)
        and not any(f"{c}={values[c][other]}" in rule.exclude for c in values)
    )


def compiled(shop: Shop, rule: ListSettings, k: int) -> Rule:
    columns = {name: encode(pa.chunked_array([v])) for name, v in shop.attributes.items()}
    return compile_rule(rule, k, columns, len(shop))


def found(shop: Shop, settings: ListSettings, k: int, tile: int) -> Lists:
    rule = compiled(shop, settings, k)
    items = prepare_items(shop.vectors, np.arange(len(shop.vectors)))
    everyone = np.arange(len(shop))
    cells = cut(rule, shop.pictures, everyone, items)
    parts = [
        search(rule, cells, shop.pictures, items, everyone[t], no_floors(len(t))).pairs
        for t in tiles(rule, everyone, tile)
    ]
    pairs = rule.best(joined(parts))
    columns = (column.tolist() for column in (pairs.rows, pairs.columns, pairs.scores))
    return list(zip(*columns, strict=True))


def draw_shop(seed: int, count: int) -> Shop:
    """Few values, few pictures, coarse vectors: ties and shortages everywhere."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(-2, 3, (max(count, 1), 3)) + rng.choice([0, 1e-3], (max(count, 1), 3))
    norms = np.linalg.norm(coarse, axis=1, keepdims=True)
    vectors = (coarse / np.where(norms > 0, norms, 1)).astype(np.float32)
    pictures = rng.integers(0, rng.integers(1, max(count, 1) + 1), count)
    values = [None, *"abcdefgh"]
    attributes = {
        name: [values[i] for i in rng.integers(0, rng.integers(1, 9), count)] for name in COLUMNS
    }
    names = [f"name {i}" for i in rng.integers(0, max(1, count * 2 // 3), count)]
    return Shop(attributes | {"product_display_name": names}, pictures, vectors)


def some(values: list[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), max_size=2, unique=True)


@st.composite
def rules(draw: st.DrawFn) -> ListSettings:
    match = draw(some(["gender", "usage"]))
    least, most = sorted(draw(st.tuples(*[st.sampled_from([-1.0, 0.0, 0.5, 0.98, 1.0])] * 2)))
    return ListSettings(
        enabled=True,
        match=match,
        universal=draw(some([f"{column}=a" for column in match])) if match else [],
        differ=draw(some(["sub_category", "product_display_name", "year"])),
        exclude=draw(some(["year=b", "sub_category=c"])),
        at_most=draw(st.integers(0, 2)),
        at_most_per=draw(st.sampled_from(["product_display_name", "sub_category"])),
        min_similarity=least,
        max_similarity=most,
    )


@settings(max_examples=120, deadline=None)
@given(
    rule=rules(),
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(0, 60),
    k=st.integers(1, 6),
    tile=st.sampled_from([1, 7, 100]),
)
def test_equals_brute_force(rule: ListSettings, seed: int, count: int, k: int, tile: int) -> None:
    shop = draw_shop(seed, count)
    assert found(shop, rule, k, tile) == brute_force(shop, rule, k)


def with_rules(**rule: object) -> ListSettings:
    return ListSettings(**{**RAW.model_dump(), **rule})


# Six products, from the nearest to product 0 to the farthest.
SHOP = Shop(
    {
        "gender": ["Men", "Men", "Women", "Unisex", "Men", "Men"],
        "usage": [None, None, "Casual", "Casual", None, "Casual"],
        "sub_category": ["Topwear", "Topwear", "Shoes", "Shoes", "Shoes", "Bags"],
        "product_display_name": ["Tee", "Tee", "Tee", "Boot", "Boot", "Bag"],
        "year": ["2011"] * 6,
    },
    np.arange(6),
    np.array([[1, 0], [1, 0], [0.8, 0.6], [0.6, 0.8], [0, 1], [-1, 0]], np.float32),
)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (RAW, [1, 2, 3, 4, 5]),
        (with_rules(match=["gender"]), [1, 4, 5]),
        (with_rules(match=["gender"], universal=["gender=Unisex"]), [1, 3, 4, 5]),
        (with_rules(match=["usage"]), [1, 4]),
        (with_rules(differ=["product_display_name"]), [3, 4, 5]),
        (with_rules(exclude=["sub_category=Shoes"]), [1, 5]),
        (with_rules(at_most=1), [1, 3, 5]),
        (with_rules(at_most=2, at_most_per="sub_category"), [1, 2, 3, 5]),
        (with_rules(min_similarity=0.7, max_similarity=0.9), [2]),
        (with_rules(min_similarity=0.0, max_similarity=0.9), [2, 3, 4]),
    ],
)
def test_each_rule(rule: ListSettings, expected: list[int]) -> None:
    assert [other for product, other, _ in found(SHOP, rule, 5, 10) if product == 0] == expected
    assert found(SHOP, rule, 5, 10) == brute_force(SHOP, rule, 5)


def test_many_products_of_one_picture_fill_lists_by_id() -> None:
    count = 3000
    names = ["one"] * 1500 + [f"name {i}" for i in range(1500)]
    shop = Shop(
        {name: ["x"] * count for name in COLUMNS} | {"product_display_name": names},
        np.zeros(count, np.int64),
        np.ones((1, 4), np.float32) / 2,
    )
    rule = with_rules(differ=["product_display_name"], at_most=1)
    lists = found(shop, rule, 3, 1024)
    assert [other for product, other, _ in lists if product == 7] == [1500, 1501, 1502]
    assert [other for product, other, _ in lists if product == 1501] == [0, 1500, 1502]


def test_values_may_fill_more_than_two_gigabytes() -> None:
    chunk = pa.array(["x" * 2**26, None, "y"])  # in memory once
    column = encode(pa.chunked_array([chunk] * 33))
    np.testing.assert_array_equal(column.codes, [0, -1, 1] * 33)
    assert column.are(["y"]).tolist() == [False, False, True] * 33
    assert len(encode(pa.chunked_array([], pa.string())).codes) == 0


def test_keys_are_sorted_with_wide_offsets() -> None:
    keys = pa.table({"product_id": [2, 1], "image_sha256": ["b", "a"], "year": [None, 1]})
    found = by_product(keys)
    assert found.to_pydict() == {
        "product_id": [1, 2],
        "image_sha256": ["a", "b"],
        "year": [1, None],
    }
    assert found.schema.field("image_sha256").type == pa.large_string()
