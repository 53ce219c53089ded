"""What a node makes ready for a search, once, in files that all of its workers map.

Nothing of it comes from the driver, which only says what is wanted and hears how much there is:
each node reads the tables itself. It is the same on each, as it is made of whole numbers; but for
the lists that pictures are inverted by, which the first node leaves for the others.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from zlib import crc32

import faiss
import numpy as np
import pyarrow as pa

from fashionrec.embed.devices import task_device
from fashionrec.errors import FashionrecError
from fashionrec.neighbours.arrays import REST, load, save
from fashionrec.neighbours.catalogue import Catalogue, catalogue_of, export_vectors
from fashionrec.neighbours.inverted import InvertedLists, train_lists
from fashionrec.neighbours.items import Items
from fashionrec.neighbours.kept import Kept, read_list
from fashionrec.neighbours.lists import Floats, Ints, alike, are_among
from fashionrec.neighbours.plans import Before, ListPlan, enabled_lists, plan_lists
from fashionrec.neighbours.recall import references
from fashionrec.neighbours.requests import Purpose, Request
from fashionrec.neighbours.searchable import FOLDER
from fashionrec.neighbours.shared import shared_items
from fashionrec.neighbours.state import State, read_before, read_products
from fashionrec.paths import at, copy_files, write_whole
from fashionrec.read import TableReader
from fashionrec.settings import NeighbourSettings

_SUMMARY = "summary.json"  # the last to be written
_VECTORS = "vectors.npy"


@dataclass(frozen=True)
class Wanted:
    """Lists to bring from one state to another. `kept` are those that there are; `name`: that
    of no other search."""

    warehouse: str
    state: State
    last: State
    kept: Kept
    settings: NeighbourSettings
    name: str
    cores: int

    @property
    def inverted(self) -> str:
        """Where the first node leaves the inverted lists of a large catalogue for the others."""
        return f"{self.warehouse}/{FOLDER}/.{self.name}"


@dataclass(frozen=True)
class Summary:
    """How much there is: distinct pictures, lists to be searched for, tiles of each request, and a
    checksum of who is in which; `anew`: why all lists are made anew, None where they are brought up
    to date."""

    anew: str | None
    pictures: int
    searched: int
    tiles: list[int]
    checksum: int


@dataclass(frozen=True)
class Tiles:
    """Rows and floors of a request of the list numbered `list`: those of its i-th tile are from
    starts[i] to starts[i + 1]. `inverted`: whether it uses inverted lists."""

    list: int
    purpose: Purpose
    rows: Ints
    floors: Floats
    starts: Ints
    inverted: bool


class Prepared:
    """What is ready in a folder of this node."""

    def __init__(self, folder: Path, names: list[str]) -> None:
        self.folder, self.names = folder, names

    @cached_property
    def summary(self) -> Summary:
        """How much there is."""
        return Summary(**json.loads((self.folder / _SUMMARY).read_text()))

    @cached_property
    def catalogue(self) -> Catalogue:
        """The products."""
        return load(Catalogue, self.folder / "catalogue")

    @cached_property
    def inverted(self) -> InvertedLists:
        """The inverted lists of a large catalogue."""
        return load(InvertedLists, self.folder / "inverted")

    @cached_property
    def tiles(self) -> list[Tiles]:
        """The requests."""
        folders = (self.folder / f"tiles-{i}" for i in range(len(self.summary.tiles)))
        return [load(Tiles, folder) for folder in folders]

    @cached_property
    def items(self) -> Items:
        """The distinct pictures, for the device of this task."""
        return shared_items(self.folder / _VECTORS, task_device())

    def part(self, number: int) -> ListPlan:
        """What to do for a list."""
        return load(ListPlan, self.folder / f"list-{number}")

    def request(self, number: int) -> Request:
        """A request whose rows are in the order of its tiles."""
        tiles = self.tiles[number]
        part, count = self.part(tiles.list), len(self.catalogue.ids)
        among = part.plan.fresh if tiles.purpose == "entering" else np.arange(count)
        return Request(part.name, part.rule, tiles.rows, among, tiles.floors, tiles.purpose)

    def entries_of(self, number: int, rows: Ints) -> pa.Table:
        """The entries that a list has of some products, ascending."""
        products, ids = self._listed(number), self.catalogue.ids[rows]
        return self._entries(number, alike(products, ids))

    def entries_gone(self, number: int) -> pa.Table:
        """The entries that a list has of products that are gone."""
        there = are_among(self._listed(number), self.catalogue.ids)
        return self._entries(number, np.flatnonzero(~there))

    def _listed(self, number: int) -> Ints:
        products: Ints = _mapped(self._file(number))["product_id"].to_numpy()
        return products

    def _entries(self, number: int, places: Ints) -> pa.Table:
        entries = _mapped(self._file(number)).take(pa.array(places))
        names = pa.array([self.names[number]] * len(entries), pa.string())
        return entries.add_column(0, "list", names)

    def _file(self, number: int) -> Path:
        return self.folder / f"list-{number}.arrow"


def prepare(wanted: Wanted, above: Path) -> Prepared:
    """Return what is ready below a folder of this node, which whoever comes first makes so."""
    folder = above / f"neighbours-{wanted.name}"
    with (above / "neighbours.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / _SUMMARY).exists():
            for earlier in above.glob("neighbours-*"):  # one that has ended, or was killed
                shutil.rmtree(earlier)
            folder.mkdir()
            summary = _prepare(wanted, folder)
            write_whole(folder / _SUMMARY, json.dumps(asdict(summary)).encode())
    return Prepared(folder, _names(wanted))


def _names(wanted: Wanted) -> list[str]:
    return list(enabled_lists(wanted.settings))


def _prepare(wanted: Wanted, folder: Path) -> Summary:
    reader, settings, state = TableReader(wanted.warehouse), wanted.settings, wanted.state
    keys = read_products(reader, state, settings)
    if keys is None:
        raise FashionrecError(
            f"{wanted.warehouse}: tasks cannot read embeddings and products there"
        )
    earlier, anew = read_before(reader, wanted.last, state, keys, settings)
    before = None if earlier is None else Before(earlier, _reading(reader, wanted, folder))
    for number, part in enumerate(plan_lists(settings, keys, before)):
        save(folder / f"list-{number}", part)
    save(folder / "catalogue", catalogue_of(keys))
    ready = Prepared(folder, _names(wanted))
    parts = [ready.part(number) for number in range(len(ready.names))]
    pictures = len(ready.catalogue.lowest)
    requests = [request for part in parts for request in part.requests(len(keys))]
    large = pictures > settings.exact_up_to
    if large or any(len(request.among) for request in requests):
        export_vectors(
            reader, state["model_version"], state["embeddings"], ready.catalogue, folder / _VECTORS
        )
    if large:  # measured even where nothing is searched
        _invert(wanted, folder)
        requests += references(
            parts, ready.inverted, ready.catalogue.pictures, seed=state["embeddings"]
        )
    lists = ready.inverted if large else None
    tiles = [
        _save_tiles(folder / f"tiles-{i}", ready, request, lists, settings.tile)
        for i, request in enumerate(requests)
    ]
    searched = sum(len(part.plan.search) for part in parts)
    checksum = 0
    for i in range(len(tiles)):
        saved = load(Tiles, folder / f"tiles-{i}")
        checksum = crc32(saved.starts.tobytes(), crc32(saved.rows.tobytes(), checksum))
    return Summary(anew, pictures, searched, tiles, checksum)


def _reading(reader: TableReader, wanted: Wanted, folder: Path) -> Callable[[str], pa.Table]:
    """Return what reads the entries of a list, into a file, by its name."""
    names = _names(wanted)

    def read(name: str) -> pa.Table:
        path = folder / f"list-{names.index(name)}.arrow"
        with pa.OSFile(str(path), "wb") as file:
            entries = read_list(reader, wanted.kept, name)
            with pa.ipc.new_file(file, entries.schema) as writer:
                writer.write_table(entries)
        return _mapped(path)

    return read


def _mapped(path: Path) -> pa.Table:
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()


def _invert(wanted: Wanted, folder: Path) -> None:
    shared, own = at(wanted.inverted), folder / "inverted"
    if (shared / REST).is_file():
        copy_files(shared.iterdir(), own)
        return
    vectors = np.load(folder / _VECTORS, mmap_mode="r")
    settings = wanted.settings
    cores = min(wanted.cores, len(os.sched_getaffinity(0)))
    faiss.omp_set_num_threads(cores)  # other tasks have to wait for it
    save(own, train_lists(vectors, settings.probes, settings.exact_up_to))
    faiss.omp_set_num_threads(1)
    copy_files(sorted(own.iterdir(), key=lambda file: file.name == REST), shared)


def _save_tiles(
    folder: Path,
    ready: Prepared,
    request: Request,
    lists: InvertedLists | None,
    size: int,
) -> int:
    """Cut a request into tiles; return how many there are."""
    pictures = ready.catalogue.pictures
    used = request.used(lists, pictures)
    tiles = request.tiles(used, pictures, size)
    order = np.concatenate(tiles)
    starts = np.append(0, np.cumsum([len(tile) for tile in tiles]))
    rows, floors = request.rows[order], request.floors[order]
    number, inverted = ready.names.index(request.list), used is not None
    save(folder, Tiles(number, request.purpose, rows, floors, starts, inverted))
    return len(tiles)
