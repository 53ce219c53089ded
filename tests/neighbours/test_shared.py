"""A catalogue made ready once: other workers map what the first one left, if it is whole."""

from pathlib import Path

import numpy as np
import pytest
import torch

from fashionrec.benchmark.vectors import draw_vectors
from fashionrec.neighbours import items, prepared, shared
from fashionrec.neighbours.items import Items
from fashionrec.neighbours.shared import shared_items
from fashionrec.neighbours.topk import self_top_k

CPU = torch.device("cpu")
VECTORS = draw_vectors(150, 40, seed=0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    np.save(tmp_path / "vectors.npy", VECTORS)
    return tmp_path / "vectors.npy"


@pytest.fixture(params=[True, False], ids=["bf16", "fp32"])
def bf16(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(items, "_multiplies_bf16", lambda _: request.param)
    return bool(request.param)


def assert_same(found: Items, expected: Items) -> None:
    for name in ("norms", "errors", "copy"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name), rtol=0, atol=0)
    lists, others = self_top_k(found, 5), self_top_k(expected, 5)
    np.testing.assert_array_equal(lists.ids, others.ids)
    np.testing.assert_array_equal(lists.similarities, others.similarities)
    assert lists.certified.tolist() == others.certified.tolist()


def test_the_second_maps_what_the_first_prepared(
    file: Path, bf16: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = shared_items(file, CPU)
    assert_same(first, items.prepare_items(VECTORS, np.arange(150)))
    monkeypatch.setattr(shared, "prepare_items", None)
    second = shared_items(file, CPU)
    assert_same(second, first)
    assert file.with_suffix(".lowered").exists() == bf16
    if first.copy is not None and second.copy is not None:
        lowered = file.with_suffix(".lowered")
        items.mapped_copy(first.vectors, first.lowering, lowered, writable=True)[3, 4] = 7.0
        assert first.copy[3, 4] == 7.0
        assert second.copy[3, 4] == 7.0  # it is the same memory


def test_what_was_left_half_made_is_made_again(file: Path) -> None:
    whole = shared_items(file, CPU)
    file.with_suffix(".norms").unlink()
    if whole.copy is not None:
        whole.copy[:60] = 1.0
    assert_same(shared_items(file, CPU), items.prepare_items(VECTORS, np.arange(150)))


def test_workers_prepare_on_the_device_of_their_task(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = []

    def prepare(vectors: np.ndarray, ids: np.ndarray, device: str) -> str:
        devices.append(device)
        return "prepared"

    monkeypatch.setattr(prepared, "task_device", lambda: torch.device("cuda", 1))
    monkeypatch.setattr(shared, "prepare_items", prepare)
    assert prepared.Prepared(file.parent, []).items == "prepared"
    assert devices == ["cuda:1"]
    assert not file.with_suffix(".lowered").exists()
