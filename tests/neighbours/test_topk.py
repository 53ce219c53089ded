from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fashionrec.neighbours import topk
from fashionrec.neighbours.certificate import Bounds, bounds_of
from fashionrec.neighbours.exact import brute_force, similarities
from fashionrec.neighbours.items import Items, Precision, prepare_items
from fashionrec.neighbours.lists import Floats, Ints, TopK
from fashionrec.neighbours.lowering import lower
from fashionrec.neighbours.topk import lower_items, lower_queries, self_top_k, top_k

PRECISIONS: list[Precision] = ["bf16", "fp32"]
SEARCHES = settings(max_examples=150, deadline=None)


def units(rows: Floats) -> Floats:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(norms > 0, norms, 1)).astype(np.float32)


def near_ties(count: int, length: int, seed: int) -> Floats:
    """Vectors that differ from one another in a few last bits."""
    rng = np.random.default_rng(seed)
    one = np.abs(units(rng.standard_normal((1, length)).astype(np.float32)))
    bits = np.tile(one, (count, 1)).view(np.int32) + rng.integers(-2, 3, (count, length))
    return bits.astype(np.int32).view(np.float32)


def catalogue(count: int, length: int, seed: int) -> tuple[Floats, Ints]:
    """Clusters, duplicates, zero rows, tiny rows and near ties, with ids in no order."""
    rng = np.random.default_rng(seed)
    vectors = units(rng.standard_normal((count, length)).astype(np.float32) + rng.integers(0, 3))
    kind = rng.integers(0, 8, count)
    if count:
        vectors[kind == 0] = vectors[rng.integers(count)]
        vectors[kind == 1] = near_ties(int((kind == 1).sum()), length, seed)
        vectors[kind == 2] *= np.float32(rng.choice([0.0, 1e-30, 1e-41, 1.0, 1.0 + 1e-6]))
        vectors[kind == 3] *= -1
    return vectors, rng.permutation(3 * count)[:count].astype(np.int64)


def assert_same(found: TopK, expected: tuple[Ints, Floats]) -> None:
    np.testing.assert_array_equal(found.ids, expected[0])
    np.testing.assert_array_equal(found.similarities, expected[1])


def test_three_items() -> None:
    vectors = np.array([[1, 0], [0.5, 0.5], [0.25, 0.75]], np.float32)
    ids = np.array([7, 8, 9])
    found = top_k(vectors, ids, prepare_items(vectors, ids), 3)
    assert found.ids.tolist() == [[8, 9, -1], [7, 9, -1], [8, 7, -1]]
    expected = [[0.5, 0.25, np.nan], [0.5, 0.5, np.nan], [0.5, 0.25, np.nan]]
    np.testing.assert_array_equal(found.similarities, expected)


@SEARCHES
@given(
    sizes=st.tuples(st.integers(0, 12), st.integers(0, 90), st.integers(1, 70)),
    k=st.integers(1, 12),
    tile=st.tuples(st.integers(1, 14), st.integers(1, 100)),
    candidates=st.sampled_from([1, 20, 500]),
    precision=st.sampled_from(PRECISIONS),
    seed=st.integers(0, 2**32 - 1),
)
def test_equals_brute_force(
    sizes: tuple[int, int, int],
    k: int,
    tile: tuple[int, int],
    candidates: int,
    precision: Precision,
    seed: int,
) -> None:
    count, of, length = sizes
    items, ids = catalogue(of, length, seed)
    queries, query_ids = catalogue(count, length, seed)  # the same kinds of rows, so ties
    query_ids[: of // 2] = ids[: min(count, of // 2)]
    prepared = prepare_items(items, ids, precision=precision)
    found = top_k(queries, query_ids, prepared, k, tile=tile, candidates=candidates)
    assert_same(found, brute_force(queries, query_ids, items, ids, k))


@SEARCHES
@given(
    count=st.integers(0, 200),
    length=st.integers(1, 40),
    k=st.integers(1, 9),
    candidates=st.sampled_from([1, 20, 500]),
    tile=st.sampled_from([64, 128, 256]),
    precision=st.sampled_from(PRECISIONS),
    seed=st.integers(0, 2**32 - 1),
)
def test_self_join_equals_brute_force(
    count: int, length: int, k: int, candidates: int, tile: int, precision: Precision, seed: int
) -> None:
    items, ids = catalogue(count, length, seed)
    prepared = prepare_items(items, ids, precision=precision)
    found = self_top_k(prepared, k, tile=tile, candidates=candidates)
    assert_same(found, brute_force(items, ids, items, ids, k))


@SEARCHES
@given(seed=st.integers(0, 2**32 - 1), precision=st.sampled_from(PRECISIONS), k=st.integers(1, 9))
def test_rule_is_kept_and_lists_stay_full(seed: int, precision: Precision, k: int) -> None:
    items, ids = catalogue(80, 16, seed)
    colours = np.random.default_rng(seed).integers(0, 4, 80)
    prepared = prepare_items(items, ids, precision=precision)

    def same_colour(rows: Ints, columns: Ints) -> NDArray[np.bool_]:
        allowed: NDArray[np.bool_] = colours[rows][:, None] == colours[columns]
        return allowed

    candidates = 1 if seed % 2 else 100
    found = top_k(items, ids, prepared, k, tile=(7, 64), candidates=candidates, allowed=same_colour)
    for row, colour in enumerate(colours):
        mine = colours == colour
        expected = brute_force(items[row : row + 1], ids[row : row + 1], items[mine], ids[mine], k)
        np.testing.assert_array_equal(found.ids[row : row + 1], expected[0])


@pytest.mark.parametrize("precision", PRECISIONS)
def test_order_tiles_and_threads_do_not_matter(precision: Precision) -> None:
    items, ids = catalogue(300, 130, 5)
    expected = top_k(items, ids, prepare_items(items, ids, precision=precision), 6)
    order = np.random.default_rng(0).permutation(300)
    shuffled = prepare_items(items[order], ids[order], precision=precision)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for tile in [(1, 64), (100, 1), (64, 333), (999, 4096)]:
            found = top_k(items, ids, shuffled, 6, tile=tile)
            assert_same(found, (expected.ids, expected.similarities))
    finally:
        torch.set_num_threads(threads)


def clusters(count: int, length: int) -> Floats:
    rng = np.random.default_rng(1)
    centres = np.abs(rng.standard_normal((20, length)))
    noise = 0.3 * rng.standard_normal((count, length))
    return units(np.maximum(centres[rng.integers(0, 20, count)] + noise, 0).astype(np.float32))


def test_ordinary_rows_are_certified() -> None:
    vectors, ids = clusters(1500, 256), np.arange(1500)
    prepared = prepare_items(vectors, ids, precision="bf16")
    found = top_k(vectors, ids, prepared, 5)
    assert found.certified.all()
    assert_same(found, brute_force(vectors, ids, vectors, ids, 5))
    assert_same(self_top_k(prepared, 5, tile=256), (found.ids, found.similarities))


@pytest.mark.parametrize("length", [1, 3, 300, 2048])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_near_ties_are_right_or_redone(precision: Precision, length: int) -> None:
    items, ids = near_ties(400, length, 3), np.random.default_rng(3).permutation(400)
    for candidates in [1, 1000]:
        prepared = prepare_items(items, ids, precision=precision)
        found = top_k(items[:9], ids[:9], prepared, 5, candidates=candidates)
        assert_same(found, brute_force(items[:9], ids[:9], items, ids, 5))
        assert found.certified.all() == (candidates > 400)


def test_without_the_bound_lists_are_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """The data of the tests above do need the slack that the certificate allows for."""
    items, ids = near_ties(400, 300, 3), np.arange(400)

    def no_bounds(norms: torch.Tensor, errors: torch.Tensor, items: Items) -> Bounds:
        return replace(bounds_of(norms, errors, items), slack=torch.zeros_like(norms))

    monkeypatch.setattr(topk, "bounds_of", no_bounds)
    found = top_k(items[:9], ids[:9], prepare_items(items, ids, precision="bf16"), 5)
    assert (found.ids != brute_force(items[:9], ids[:9], items, ids, 5)[0]).any()


@pytest.mark.parametrize("make", [clusters, lambda n, d: catalogue(n, d, 8)[0]])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_scores_stay_within_their_bounds(
    precision: Precision, make: Callable[[int, int], Floats]
) -> None:
    vectors = make(300, 200)
    items = prepare_items(vectors, np.arange(300), precision=precision)
    queries = lower(vectors, items.lowering, "query")
    bounds = bounds_of(queries.norms, queries.errors, items)
    scores = (queries.matrix.double() @ items.tile(0, 300)[:300].double().T).numpy()
    pairs = np.indices((300, 300)).reshape(2, -1)
    exact = similarities(vectors[pairs[0]], vectors[pairs[1]]).reshape(300, 300)
    off = np.abs(scores + bounds.shift - exact).max(1)
    assert (off <= bounds.slack.numpy()).all()
    assert bounds.slack.max() < 0.02


@given(values=st.lists(st.floats(-1, 1, width=32), min_size=1), slack=st.sampled_from([0.0, 0.01]))
def test_rounding_a_score_keeps_both_promises(values: list[float], slack: float) -> None:
    exact = torch.tensor(values, dtype=torch.float64)
    for dtype in [torch.bfloat16, torch.float32]:
        bounds = Bounds(torch.full_like(exact, slack), 0.0, dtype)
        lowest, highest = (exact - slack).to(dtype), (exact + slack).to(dtype)
        assert (bounds.similarity_at_least(highest) <= exact + 1e-7).all()
        assert (bounds.score_at_least(exact) <= lowest).all()


def test_every_score_may_reach_the_lowest_similarity() -> None:
    bounds = Bounds(torch.zeros(2, dtype=torch.float64), 0.0, torch.float32)
    beat = bounds.score_at_least(torch.tensor([-1.0, 1.0], dtype=torch.float64))
    assert beat.tolist() == [torch.finfo(torch.float32).min, 1.0]


@pytest.mark.parametrize("candidates", [10, 100, 5000])
def test_thousands_of_duplicates(candidates: int) -> None:
    items = np.tile(units(np.ones((1, 8), np.float32)), (3000, 1))
    ids = np.random.default_rng(0).permutation(3000)
    found = top_k(items[:3], ids[:3], prepare_items(items, ids), 4, candidates=candidates)
    assert_same(found, brute_force(items[:3], ids[:3], items, ids, 4))
    assert found.certified.all() == (candidates == 5000)


def test_similarities_are_clamped() -> None:
    long = np.full((3, 4), 0.6, np.float32)
    items = long * np.array([[1], [-1], [2]], np.float32)
    found = top_k(long, np.arange(3), prepare_items(items, np.arange(3)), 2)
    assert found.similarities.tolist() == [[1.0, -1.0], [1.0, 1.0], [1.0, -1.0]]
    assert found.ids.tolist() == [[2, 1], [0, 2], [0, 1]]


def test_no_queries_and_no_items() -> None:
    items, ids = catalogue(5, 3, 0)
    nothing, none = items[:0], ids[:0]
    assert top_k(nothing, none, prepare_items(items, ids), 2).ids.shape == (0, 2)
    assert top_k(items, ids, prepare_items(nothing, none), 2).ids.tolist() == [[-1, -1]] * 5
    assert self_top_k(prepare_items(nothing, none), 2).ids.shape == (0, 2)


def test_read_only_memory_map(tmp_path: Path) -> None:
    items, ids = catalogue(150, 20, 2)
    np.save(tmp_path / "items.npy", items)
    mapped = np.load(tmp_path / "items.npy", mmap_mode="r")
    for precision in PRECISIONS:
        found = top_k(mapped, ids, prepare_items(mapped, ids, precision=precision), 3)
        assert_same(found, brute_force(items, ids, items, ids, 3))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38, 1e4])
def test_what_is_not_a_number_is_named(value: float) -> None:
    items, ids = catalogue(5, 3, 0)
    bad = items.copy()
    bad[3, 1] = value
    for precision in PRECISIONS:
        with pytest.raises(ValueError, match="items row 3 has norm"):
            prepare_items(bad, ids, precision=precision)
        with pytest.raises(ValueError, match="queries row 3 has norm"):
            top_k(bad, ids, prepare_items(items, ids, precision=precision), 2, tile=(2, 64))


def test_wrong_calls_say_what_is_wrong() -> None:
    items, ids = catalogue(5, 3, 0)
    prepared = prepare_items(items, ids)
    with pytest.raises(ValueError, match="item id 4 is there more than once"):
        prepare_items(items, np.array([4, 1, 2, 4, 3]))
    with pytest.raises(ValueError, match="5 items need as many int64 ids"):
        prepare_items(items, ids[:3])
    with pytest.raises(ValueError, match="the id -2"):
        prepare_items(items, ids - ids.min() - 2)
    with pytest.raises(ValueError, match="must be float32"):
        prepare_items(items.astype(np.float64), ids)
    with pytest.raises(ValueError, match="queries are 2 long, items 3"):
        top_k(np.ascontiguousarray(items[:, :2]), ids, prepared, 1)
    with pytest.raises(ValueError, match="must be at least 1"):
        top_k(items, ids, prepared, 0)


def test_layout_does_not_matter() -> None:
    items, ids = catalogue(90, 300, 4)
    expected = brute_force(items, ids, items, ids, 3)
    for same in [np.asfortranarray(items), np.repeat(items, 2, 0)[::2], items[::-1].copy()[::-1]]:
        assert_same(top_k(same, ids, prepare_items(same, ids), 3), expected)


def test_reduced_float32_products_are_refused() -> None:
    items, ids = catalogue(5, 3, 0)
    torch.set_float32_matmul_precision("medium")
    try:
        with pytest.raises(ValueError, match="'highest'; it is 'medium'"):
            prepare_items(items, ids)
    finally:
        torch.set_float32_matmul_precision("highest")


@SEARCHES
@given(seed=st.integers(0, 2**32 - 1), precision=st.sampled_from(PRECISIONS), k=st.integers(1, 90))
def test_part_of_a_catalogue_and_floors(seed: int, precision: Precision, k: int) -> None:
    items, ids = catalogue(80, 16, seed)
    rng = np.random.default_rng(seed)
    positions, floors = rng.permutation(80)[:50], rng.uniform(-1.1, 1.1, 80).astype(np.float32)
    prepared = prepare_items(items, ids, precision=precision)
    part = prepared.part(positions, ids[positions])
    own = lower_items(prepared, np.arange(80))
    found = top_k(
        items,
        ids,
        part,
        k,
        candidates=1 if seed % 2 else 100,
        tile=(30, 64),
        floors=floors,
        lowered=own if seed % 3 else lower_queries(items, prepared),
    )
    expected = brute_force(items, ids, items[positions], ids[positions], k)
    low = ~(expected[1] >= floors[:, None])
    listed = np.where(low, -1, expected[0]), np.where(low, np.nan, expected[1])
    assert_same(found, listed)
    rows = rng.permutation(80)[:9]
    few = top_k(items, ids[rows], part, k, tile=(4, 64), floors=floors[rows], rows=rows)
    assert_same(few, (listed[0][rows], listed[1][rows]))
