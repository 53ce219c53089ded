"""How a node makes ready what a search needs, once.

Nothing of it comes from the driver, which only says what is wanted and hears how much there is:
each node reads the tables itself. It is the same on each, as it is made of whole numbers; but for
the lists that pictures are inverted by, which the first node leaves for the others.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from zlib import crc32

import faiss
import numpy as np
import pyarrow as pa

from fashionrec.errors import FashionrecError
from fashionrec.neighbours.arrays import REST, load_table, save, save_table
from fashionrec.neighbours.catalogue import catalogue_of, export_vectors
from fashionrec.neighbours.inverted import train_lists
from fashionrec.neighbours.kept import Kept, read_list
from fashionrec.neighbours.plans import Before, enabled_lists, plan_lists
from fashionrec.neighbours.prepared import SUMMARY, VECTORS, Prepared, Summary, Tiles, Wanted
from fashionrec.neighbours.recall import references
from fashionrec.neighbours.requests import Request
from fashionrec.neighbours.state import read_before, read_products
from fashionrec.paths import at, copy_files, write_whole
from fashionrec.read import TableReader
from fashionrec.settings import NeighbourSettings


def prepare(wanted: Wanted, above: Path) -> Prepared:
    """Return what is ready below a folder of this node, which whoever comes first makes so."""
    folder = folder_of(wanted, above)
    ready = Prepared(folder, list(enabled_lists(wanted.settings)))
    with (above / "neighbours.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / SUMMARY).exists():
            for earlier in above.glob("neighbours-*"):  # one that has ended, or was killed
                shutil.rmtree(earlier)
            folder.mkdir()
            summary = _prepare(wanted, ready)
            write_whole(folder / SUMMARY, json.dumps(asdict(summary)).encode())
    return ready


def folder_of(wanted: Wanted, above: Path) -> Path:
    """Return where below a folder of a node a search is made ready."""
    return above / f"neighbours-{wanted.name}"


def _prepare(wanted: Wanted, ready: Prepared) -> Summary:
    reader, settings, state = TableReader(wanted.warehouse), wanted.settings, wanted.state
    keys = read_products(reader, state, settings)
    if keys is None:
        raise FashionrecError(
            f"{wanted.warehouse}: tasks cannot read embeddings and products there"
        )
    earlier, anew = read_before(reader, wanted.last, state, keys, settings)
    before = None if earlier is None else Before(earlier, _reading(reader, wanted.kept, ready))
    for number, part in enumerate(plan_lists(settings, keys, before)):
        save(ready.folder / f"list-{number}", part)
    save(ready.folder / "catalogue", catalogue_of(keys))
    parts = [ready.part(number) for number in range(len(ready.names))]
    pictures = len(ready.catalogue.lowest)
    requests = [request for part in parts for request in part.requests(len(keys))]
    large = pictures > settings.exact_up_to
    if large or any(len(request.among) for request in requests):
        vectors = ready.folder / VECTORS
        versions = state["model_version"], state["embeddings"]
        export_vectors(reader, *versions, ready.catalogue, vectors)
    if large:  # measured even where nothing is searched
        _invert(wanted, ready.folder)
        of_all = ready.catalogue.pictures
        requests += references(parts, ready.inverted, of_all, seed=state["embeddings"])
    searched = sum(len(part.plan.search) for part in parts)
    counts, checksum = [], 0
    for number, request in enumerate(requests):
        tiles = _cut(ready, request, settings)
        save(ready.folder / f"tiles-{number}", tiles)
        counts.append(len(tiles.starts) - 1)
        checksum = crc32(tiles.starts.tobytes(), crc32(tiles.rows.tobytes(), checksum))
    return Summary(anew, pictures, searched, counts, checksum)


def _reading(reader: TableReader, kept: Kept, ready: Prepared) -> Callable[[str], pa.Table]:
    """Return what reads the entries of a list, into a file, by its name."""

    def read(name: str) -> pa.Table:
        file = ready.entries_file(ready.names.index(name))
        save_table(file, read_list(reader, kept, name))
        return load_table(file)

    return read


def _invert(wanted: Wanted, folder: Path) -> None:
    shared, own = at(wanted.inverted), folder / "inverted"
    if (shared / REST).is_file():
        copy_files(shared.iterdir(), own)
        return
    vectors = np.load(folder / VECTORS, mmap_mode="r")
    settings = wanted.settings
    cores = min(wanted.cores, len(os.sched_getaffinity(0)))
    faiss.omp_set_num_threads(cores)  # other tasks have to wait for it
    save(own, train_lists(vectors, settings.probes, settings.exact_up_to))
    faiss.omp_set_num_threads(1)
    copy_files(sorted(own.iterdir(), key=lambda file: file.name == REST), shared)


def _cut(ready: Prepared, request: Request, settings: NeighbourSettings) -> Tiles:
    """Cut a request into tiles."""
    pictures = ready.catalogue.pictures
    lists = ready.inverted if len(ready.catalogue.lowest) > settings.exact_up_to else None
    used = request.used(lists, pictures)
    tiles = request.tiles(used, pictures, settings.tile)
    order = np.concatenate(tiles)
    starts = np.append(0, np.cumsum([len(tile) for tile in tiles]))
    rows, floors = request.rows[order], request.floors[order]
    number, inverted = ready.names.index(request.list), used is not None
    return Tiles(number, request.purpose, rows, floors, starts, inverted)
