"""Inverted lists: what a search may lose, that recall says so, and that little is lost of much."""

import numpy as np
import pyarrow as pa
import pytest

from fashionrec.benchmark.vectors import draw_vectors
from fashionrec.config import load
from fashionrec.errors import RefusedError
from fashionrec.neighbours.inverted import InvertedLists, train_lists
from fashionrec.neighbours.items import prepare_items
from fashionrec.neighbours.local import search_here
from fashionrec.neighbours.plans import ENTRY, ListPlan, applied, plan_lists
from fashionrec.neighbours.recall import measure_recall, references, require_recall
from fashionrec.settings import ListSettings

DEFAULTS = load().neighbours
COUNT = 4_000
VECTORS = draw_vectors(COUNT, 64, seed=0)


def shop(rules: dict[str, ListSettings], few: int) -> list[ListPlan]:
    rng = np.random.default_rng(0)
    ids = np.arange(COUNT)
    columns = {
        "gender": rng.choice(["Men", "Women", "Unisex"], COUNT),
        "usage": rng.choice(["Casual", "Sports"], COUNT),
        "sub_category": rng.choice(["Bags", "Shoes", "Topwear"], COUNT),
        "master_category": rng.choice(["Apparel", "Free Items"], COUNT),
        "product_display_name": [f"name {i // 2}" for i in range(COUNT)],
    }
    keys = pa.table({"product_id": ids, "image_sha256": [str(i) for i in ids], **columns})
    settings = DEFAULTS.model_copy(update={"lists": rules, "exact_up_to": few})
    return list(plan_lists(settings, keys))


def searched(plans: list[ListPlan], lists: InvertedLists | None) -> dict[str, pa.Table]:
    """What is found for each purpose."""
    ids, items = np.arange(COUNT), prepare_items(VECTORS, np.arange(COUNT))
    requests = [request for part in plans for request in part.requests(COUNT)]
    if lists is not None:
        requests += references(plans, lists, ids, seed=3)
    found = search_here(requests, ids, ids, items, 512, lists)
    kinds = {name: np.equal(found["purpose"].to_numpy(), name) for name in ("list", "reference")}
    return {name: found.filter(pa.array(kind)).select(ENTRY) for name, kind in kinds.items()}


def ordered(entries: pa.Table) -> pa.Table:
    return entries.sort_by([(name, "ascending") for name in ("list", "product_id", "rank")])


def test_pictures_are_in_the_list_of_the_nearest_centroid() -> None:
    lists = train_lists(VECTORS, probes=2, few=100)
    assert lists.centroids.shape == (63, 64)
    nearest = (VECTORS @ lists.centroids.T).argmax(1)
    assert (lists.list_of == nearest).mean() > 0.999  # sums of float32 may tie


def test_near_are_the_nearest_lists_that_have_any_of_the_pictures() -> None:
    centroids = np.array([[1, 0], [0.8, 0.6], [0, 1], [-1, 0]], np.float32)
    lists = InvertedLists(np.array([0, 1, 2, 3, 0, 3]), centroids, probes=2, few=3)
    assert lists.near(0, np.arange(6)).tolist() == [True, True, False, False, True, False]
    assert lists.near(0, np.array([2, 3, 4, 5])).tolist() == [True, False, True, False]
    assert lists.near(3, np.array([1, 2, 3, 5])).tolist() == [False, True, True, True]
    assert lists.near(0, np.array([1, 2, 3])).all()  # few enough to look at all


def test_all_probes_make_lists_exact() -> None:
    plans = shop(DEFAULTS.lists, few=10)
    found = searched(plans, train_lists(VECTORS, probes=63, few=10))
    assert ordered(found["list"]).equals(ordered(searched(plans, None)["list"]))


def test_few_pictures_are_searched_exactly_whatever_the_probes() -> None:
    plans = shop(DEFAULTS.lists, few=COUNT)
    lists = train_lists(VECTORS, probes=1, few=COUNT)
    assert references(plans, lists, np.arange(COUNT), seed=0) == []
    assert ordered(searched(plans, lists)["list"]).equals(ordered(searched(plans, None)["list"]))


def test_recall_is_the_share_of_true_neighbours() -> None:
    """By the sample's estimate, within its error of the whole; a few probes find most of them."""
    plans = shop(DEFAULTS.lists, few=10)
    found = searched(plans, train_lists(VECTORS, probes=16, few=10))
    recall = measure_recall(found["list"], found["reference"], 5)
    whole = measure_recall(found["list"], searched(plans, None)["list"], 5)
    assert set(recall) == set(DEFAULTS.lists)
    for name, (members, expected) in recall.items():
        assert members / expected == pytest.approx(whole[name][0] / whole[name][1], abs=0.02)
    assert 0.9 < whole["similar"][0] / whole["similar"][1] < 1


def test_lists_of_low_recall_are_refused() -> None:
    settings = DEFAULTS.model_copy(update={"min_recall": 0.9})
    require_recall({"similar": (90, 100), "empty": (0, 0)}, settings)
    with pytest.raises(RefusedError, match=r"'mine' has a recall of 0.8900 .*neighbours.probes"):
        require_recall({"similar": (90, 100), "mine": (89, 100)}, settings)


def entries(*rows: tuple[int, int, int]) -> pa.Table:
    columns = [pa.array([row[i] for row in rows]) for i in range(3)]
    names = pa.array(["a"] * len(rows))
    return pa.table([names, *columns, pa.array([0.5] * len(rows), pa.float32())], ENTRY)


def test_recall_counts_members_whatever_their_rank() -> None:
    reference = entries((1, 1, 7), (1, 2, 8), (2, 1, 9))
    lists = entries((1, 1, 8), (1, 2, 5), (2, 3, 9), (3, 1, 9))
    assert measure_recall(lists, reference, 3) == {"a": (2, 3)}
    assert measure_recall(lists, reference, 2) == {"a": (1, 3)}


def test_applied_changes() -> None:
    before = entries((1, 1, 7), (1, 2, 8), (2, 1, 9))
    changes = entries((1, 1, 6), (1, 2, 8), (3, 1, 5)).append_column(
        "_change", pa.array(["update", "delete", "insert"])
    )
    assert ordered(applied(before, changes)).equals(entries((1, 1, 6), (2, 1, 9), (3, 1, 5)))
