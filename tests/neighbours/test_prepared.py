"""What nodes make ready: once each, the same on all, and without the driver."""

from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from fashionrec.config import load as load_config
from fashionrec.neighbours.arrays import load, save
from fashionrec.neighbours.inverted import InvertedLists
from fashionrec.neighbours.kept import kept_lists
from fashionrec.neighbours.prepare import prepare
from fashionrec.neighbours.prepared import Prepared, Wanted
from fashionrec.neighbours.state import state_of
from fashionrec.store import Store
from fashionrec.tables import EMBEDDINGS

COUNT = 120


@dataclass(frozen=True)
class Inner:
    codes: np.ndarray
    share: float


@dataclass(frozen=True)
class Outer:
    name: str
    inner: Inner
    empty: np.ndarray


def test_arrays_are_mapped_as_they_were(tmp_path: Path) -> None:
    codes = np.arange(6).reshape(2, 3).T  # columns lie together
    save(tmp_path / "one", Outer("é", Inner(codes, 0.1), np.empty((0, 2), np.float32)))
    found = load(Outer, tmp_path / "one")
    assert (found.name, found.inner.share) == ("é", 0.1)
    assert np.array_equal(found.inner.codes, codes)
    assert (found.empty.shape, found.empty.dtype) == ((0, 2), np.float32)
    assert isinstance(found.inner.codes.base, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        found.inner.codes[0] = 1


@pytest.fixture
def wanted(store: Store) -> Wanted:
    """All lists of products that are too many for exact ones."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(COUNT, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    schema = store.arrow_schema(EMBEDDINGS)
    rows = [
        {"product_id": i, "model_version": "m", "image_sha256": str(i), "embedding": vector}
        for i, vector in enumerate(vectors.tolist())
    ]
    store.rewrite(EMBEDDINGS, pa.Table.from_pylist(rows, schema), {})
    lists = {"similar": load_config().neighbours.lists["similar"]}
    few = {"lists": lists, "exact_up_to": 50, "probes": 4, "tile": 16}
    settings = load_config().neighbours.model_copy(update=few)
    return Wanted(
        warehouse=store.warehouse,
        state=state_of(store, "m", settings),
        last={},
        kept=kept_lists(store),
        settings=settings,
        name="one",
        cores=1,
    )


def node(tmp_path: Path, name: str) -> Path:
    (tmp_path / name).mkdir(exist_ok=True)
    return tmp_path / name


def rows_of(ready: Prepared) -> list[list[int]]:
    """The rows of every tile."""
    return [
        part.tolist() for tiles in ready.tiles for part in np.split(tiles.rows, tiles.starts[1:-1])
    ]


def test_every_node_has_the_same_tiles(
    wanted: Wanted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although float32 sums, and so the list that a picture is nearest to, may differ."""
    first = prepare(wanted, node(tmp_path, "first"))
    monkeypatch.delattr("fashionrec.neighbours.prepare.train_lists")
    second = prepare(wanted, node(tmp_path, "second"))
    assert second.summary == first.summary
    assert first.summary.pictures == first.summary.searched == COUNT
    assert rows_of(second) == rows_of(first)
    shuffled = replace(wanted, name="other")
    monkeypatch.undo()
    monkeypatch.setattr("fashionrec.neighbours.prepare.train_lists", lambda *_: other(first))
    assert prepare(shuffled, node(tmp_path, "third")).summary != first.summary
    lists, references = rows_of(first)[: first.summary.tiles[0]], first.tiles[1]
    assert sorted(chain(*lists)) == list(range(COUNT))
    assert (references.purpose, references.inverted) == ("reference", False)
    assert first.tiles[0].inverted
    for rows in lists:  # what a tile searches from is alike
        assert len(set(first.inverted.list_of[rows])) == 1


def test_a_node_is_made_ready_once(
    wanted: Wanted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepare(wanted, node(tmp_path, "node"))
    with monkeypatch.context() as patch:
        patch.delattr("fashionrec.neighbours.prepare._prepare")
        assert prepare(wanted, first.folder.parent).summary == first.summary
    later = prepare(replace(wanted, name="two"), first.folder.parent)
    assert later.folder.is_dir()
    assert not first.folder.exists()


def test_a_node_that_failed_is_made_ready_again(
    wanted: Wanted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    above = node(tmp_path, "node")
    with monkeypatch.context() as patch:
        patch.setattr("fashionrec.neighbours.prepare._cut", full)
        with pytest.raises(OSError, match="full"):
            prepare(wanted, above)
    assert list(above.glob("neighbours-one/*"))
    assert prepare(wanted, above).summary.searched == COUNT


def other(first: Prepared) -> InvertedLists:
    """As by a processor that adds in another order: one picture is in another list."""
    list_of = np.array(first.inverted.list_of)
    list_of[0] = (list_of[0] + 1) % len(first.inverted.centroids)
    return replace(first.inverted, list_of=list_of)


def full(*args: object) -> int:
    raise OSError("full")
