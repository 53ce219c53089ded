"""The files that pictures are searched by: exact, whole or not there, and replaced by the next."""

import os
import subprocess
import sys
from pathlib import Path

import deltalake
import numpy as np
import pyarrow as pa
import pytest

from fashionrec.neighbours.exact import brute_force
from fashionrec.neighbours.searchable import (
    FOLDER,
    Searchable,
    lay_out,
    open_searchable,
    write_searchable,
)
from fashionrec.store import Store
from fashionrec.tables import EMBEDDINGS
from fashionrec.write import TableWriter

RNG = np.random.default_rng(3)


def vectors(count: int, length: int = 24) -> np.ndarray:
    rows = RNG.standard_normal((count, length)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def searchable(folder: Path, rows: np.ndarray, ids: np.ndarray, pictures: np.ndarray) -> Searchable:
    folder.mkdir()
    np.save(folder / "drawn.npy", rows)
    lay_out(folder, "m-1", folder / "drawn.npy", ids, pictures)
    return Searchable(folder)


@pytest.mark.parametrize("share", [1.0, 0.3, 0.02, 0.0])
def test_the_nearest_are_those_of_brute_force(tmp_path: Path, share: float) -> None:
    pictures = np.sort(RNG.integers(0, 150, 300))
    _, pictures = np.unique(pictures, return_inverse=True)  # several products share one
    rows, ids = vectors(pictures.max() + 1), 7 * np.arange(300) + 1
    found = searchable(tmp_path / "s", rows, ids, pictures)
    among = RNG.random(300) < share
    for query in vectors(5):
        expected, scores = brute_force(
            query[None], np.array([-1]), rows[pictures[among]], ids[among], 5
        )
        kept = expected[0] >= 0
        pairs = list(zip(expected[0][kept].tolist(), scores[0][kept].tolist(), strict=True))
        assert found.nearest(query, 5, among) == pairs


def test_ties_go_to_the_lower_id(tmp_path: Path) -> None:
    rows = np.tile(vectors(1), (4, 1))
    found = searchable(tmp_path / "s", rows, np.arange(8), np.array([3, 2, 1, 0, 3, 2, 1, 0]))
    assert [i for i, _ in found.nearest(rows[0], 3)] == [0, 1, 2]
    assert [i for i, _ in found.nearest(rows[0], 3, np.arange(8) % 4 == 3)] == [3, 7]


@pytest.fixture
def writer(store: Store) -> TableWriter:
    put(store, vectors(6))
    return store


def put(writer: TableWriter, rows: np.ndarray) -> None:
    table = writer.arrow_schema(EMBEDDINGS)
    lines = [
        {
            "product_id": 10 - i,
            "model_version": "m-1",
            "image_sha256": f"{i // 2}",  # pairs of products share a picture
            "embedding": rows[2 * (i // 2)].tolist(),
            "predicted_article_type": None,
            "predicted_probability": None,
            "predicted_accepted": None,
        }
        for i in range(len(rows))
    ]
    deltalake.write_deltalake(
        writer.path(EMBEDDINGS), pa.Table.from_pylist(lines, table), mode="overwrite"
    )


def files(writer: TableWriter) -> dict[str, int]:
    folder = Path(writer.warehouse, FOLDER)
    return {str(f.relative_to(folder)): f.stat().st_mtime_ns for f in folder.rglob("*")}


def test_it_is_written_once_and_replaced_when_embeddings_change(writer: TableWriter) -> None:
    assert open_searchable(writer.warehouse) is None
    write_searchable(writer, "m-1")
    first = open_searchable(writer.warehouse)
    assert first is not None
    assert (first.ids.tolist(), first.model_version) == ([5, 6, 7, 8, 9, 10], "m-1")
    assert len(first.items.ids) == 3
    before = files(writer)
    write_searchable(writer, "m-1")
    assert files(writer) == before
    put(writer, vectors(4))
    vector = first.vector_of(10)
    write_searchable(writer, "m-1")
    second = open_searchable(writer.warehouse)
    assert second is not None
    assert second.ids.tolist() == [7, 8, 9, 10]
    assert [path.name for path in Path(writer.warehouse, FOLDER).iterdir()] == [second.folder.name]
    assert first.nearest(vector, 1)[0][0] == 9  # who has it mapped keeps it; 9 has the same picture


def test_one_that_was_killed_is_no_file_to_search(writer: TableWriter) -> None:
    killed = (
        "import os, sys\n"
        "from fashionrec.neighbours import searchable\n"
        "from fashionrec.read import TableReader\n"
        "searchable.os.replace = lambda *_: os.kill(os.getpid(), 9)\n"
        "searchable.write_searchable(TableReader(sys.argv[1]), 'm-1')\n"
    )
    ended = subprocess.run([sys.executable, "-c", killed, writer.warehouse], check=False)
    assert ended.returncode == -9
    assert files(writer)
    assert open_searchable(writer.warehouse) is None
    write_searchable(writer, "m-1")
    assert open_searchable(writer.warehouse) is not None
    assert not [name for name in files(writer) if "part" in name]


def test_a_reader_needs_no_right_to_write(writer: TableWriter) -> None:
    write_searchable(writer, "m-1")
    folder = Path(writer.warehouse, FOLDER)
    modes = {path.name: path.stat().st_mode & 0o044 for path in folder.rglob("*") if path.is_file()}
    assert set(modes.values()) == {0o044 & ~_umask()}


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_no_embedding_at_all(store: Store) -> None:
    write_searchable(store, "m-1")
    found = open_searchable(store.warehouse)
    assert found is not None
    assert found.nearest(vectors(1)[0], 5) == []
    assert found.vector_of(1) is None
