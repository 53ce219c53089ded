"""A warehouse's embeddings as files that a search maps into memory: `publish` writes them."""

import os
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory, mkdtemp
from uuid import uuid4

import numpy as np
import pyarrow.dataset as ds
import torch
from numpy.typing import NDArray

from fashionrec.neighbours.catalogue import by_product, catalogue_of, export_vectors
from fashionrec.neighbours.items import Items
from fashionrec.neighbours.lists import Floats, Ints
from fashionrec.neighbours.shared import shared_items
from fashionrec.neighbours.topk import top_k
from fashionrec.paths import at, copy_files, is_remote, remove_folder
from fashionrec.read import TableReader
from fashionrec.tables import EMBEDDINGS

FOLDER = "_search"
_VECTORS, _PRODUCTS, _PICTURES = "vectors.npy", "products.npy", "pictures.npy"
_MODEL = "model_version"
_NOBODY = np.array([np.iinfo(np.int64).max])  # a query that is no product


@dataclass(frozen=True)
class Searchable:
    """A folder of such files, named after what it was made from."""

    folder: Path

    @cached_property
    def model_version(self) -> str:
        """The model version that made the embeddings."""
        return (self.folder / _MODEL).read_text()

    @cached_property
    def ids(self) -> Ints:
        """The products [p] that have an embedding, ascending."""
        return np.asarray(np.load(self.folder / _PRODUCTS), np.int64)

    @cached_property
    def pictures(self) -> Ints:
        """The row of each product's picture [p] among the distinct ones."""
        return np.asarray(np.load(self.folder / _PICTURES), np.int64)

    @cached_property
    def items(self) -> Items:
        """The distinct pictures, by row."""
        return shared_items(self.folder / _VECTORS, torch.device("cpu"))

    def vector_of(self, product_id: int) -> Floats | None:
        """Return a product's embedding, float32 [d]; None where it has none."""
        place = int(np.searchsorted(self.ids, product_id))
        if place == len(self.ids) or self.ids[place] != product_id:
            return None
        return np.asarray(self.items.vectors[self.pictures[place]])

    def nearest(
        self, vector: Floats, k: int, among: NDArray[np.bool_] | None = None
    ) -> list[tuple[int, float]]:
        """Return ids and similarities of the k products most similar to a vector [d] of unit
        length, exactly; ties go to the lower id.

        among: which of `ids` may be found [p].
        """
        rows = np.arange(len(self.ids)) if among is None else np.flatnonzero(among)
        if not len(rows):
            return []
        # A picture goes by the lowest of its products that may be found, so the k products are
        # among those of k pictures; one without any is not `allowed`, and its id means nothing.
        shown, first = np.unique(self.pictures[rows], return_index=True)
        lowest = -1 - np.arange(len(self.items.ids)) + _NOBODY[0]
        lowest[shown] = self.ids[rows[first]]
        allowed = np.zeros(len(lowest), np.bool_)
        allowed[shown] = True
        found = top_k(
            vector[None],
            _NOBODY,
            self.items.part(self.items.ids, lowest),
            k,
            tile=(1, len(lowest)),
            allowed=lambda _, columns: allowed[columns][None],
        )
        return self._products(rows, lowest, found.ids[0], found.similarities[0])[:k]

    def _products(
        self, rows: Ints, lowest: Ints, ids: Ints, similarities: Floats
    ) -> list[tuple[int, float]]:
        """Return the products of the pictures that were found, best first."""
        scores = dict(zip(ids.tolist(), similarities.tolist(), strict=True))
        owners = lowest[self.pictures[rows]]
        places = np.flatnonzero(np.isin(owners, ids))
        pairs = [(int(self.ids[rows[i]]), scores[int(owners[i])]) for i in places]
        return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))


def open_searchable(warehouse: str | Path) -> Searchable | None:
    """Return the latest files of a warehouse; None where it has none yet."""
    above = at(warehouse) / FOLDER
    whole = [path / _MODEL for path in _folders(above) if (path / _MODEL).is_file()]
    if not whole:
        return None
    folder = max(whole, key=lambda path: path.stat().st_mtime).parent
    return Searchable(_fetched(folder) if is_remote(folder) else folder)


def _folders(above: Path) -> list[Path]:
    found = above.iterdir() if above.is_dir() else []
    return [path for path in found if not path.name.startswith(".")]


def _fetched(folder: Path) -> Path:
    """Copy the files of an object store to this user's cache, once: only files can be mapped."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    above = cache / "fashionrec" / sha256(str(folder.parent).encode()).hexdigest()[:16]
    copy = above / folder.name
    if not copy.is_dir():
        above.mkdir(parents=True, exist_ok=True)
        part = Path(mkdtemp(dir=above, prefix="."))
        copy_files(folder.iterdir(), part)
        with suppress(OSError):  # another process was faster
            part.rename(copy)
        for other in _folders(above):
            if other != copy:
                rmtree(other)
    return copy


def is_searchable(store: TableReader, model_version: str) -> bool:
    """Say whether the files of a model version's embeddings as they are now are there, and nothing
    that a killed run left."""
    wanted = _folder(store, model_version, store.version(EMBEDDINGS))
    return (wanted / _MODEL).is_file() and len(list(wanted.parent.iterdir())) == 1


def write_searchable(store: TableReader, model_version: str) -> str:
    """Write a model version's embeddings, whole or not at all, where they differ from those that
    are there; then remove earlier ones. Whoever has these mapped keeps them. Return where they are.
    """
    version = store.version(EMBEDDINGS)
    wanted = _folder(store, model_version, version)
    above = wanted.parent
    if not (wanted / _MODEL).is_file():
        if is_remote(above):
            with TemporaryDirectory(prefix="fashionrec-") as folder:
                _write(store, model_version, version, Path(folder))
                _upload(Path(folder), wanted)
        else:
            part = above / f".{uuid4()}"  # a lost executor may be writing still
            part.mkdir(parents=True)
            _write(store, model_version, version, part)
            os.replace(part, wanted)
    for other in above.iterdir():
        if other.name != wanted.name:
            remove_folder(other)
    return str(wanted)


def _folder(store: TableReader, model_version: str, version: int) -> Path:
    made_of = f"{model_version}-{store.identity(EMBEDDINGS)}-{version}"
    return at(store.warehouse) / FOLDER / made_of


def _upload(folder: Path, target: Path) -> None:
    """Copy files to an object store, last the one by which a folder is known to be whole."""
    copy_files(sorted(folder.iterdir(), key=lambda file: file.name == _MODEL), target)


def _write(store: TableReader, model_version: str, version: int, folder: Path) -> None:
    of_model = ds.field("model_version") == model_version
    keys = store.scan(EMBEDDINGS, ["product_id", "image_sha256"], of_model, version).to_table()
    catalogue = catalogue_of(by_product(keys))
    export_vectors(store, model_version, version, catalogue, folder / _VECTORS)
    lay_out(folder, model_version, folder / _VECTORS, catalogue.ids, catalogue.pictures)


def lay_out(folder: Path, model_version: str, vectors: Path, ids: Ints, pictures: Ints) -> None:
    """Make a `Searchable` of a folder and a file of vectors in it, float32 [n, d], which is moved:
    product ids[i] has the picture `pictures[i]` of them.
    """
    os.replace(vectors, folder / _VECTORS)
    np.save(folder / _PRODUCTS, ids)
    np.save(folder / _PICTURES, pictures)
    (folder / _MODEL).write_text(model_version)
    shared_items(folder / _VECTORS, torch.device("cpu"))  # lowers them, once for all readers
    (folder / _VECTORS).with_suffix(".lock").unlink(missing_ok=True)
