"""What is ready on a node for a search, in files that all of its workers map."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from fashionrec.embed.devices import task_device
from fashionrec.neighbours.arrays import load, load_table
from fashionrec.neighbours.catalogue import Catalogue
from fashionrec.neighbours.inverted import InvertedLists
from fashionrec.neighbours.items import Items
from fashionrec.neighbours.kept import Kept
from fashionrec.neighbours.lists import Floats, Ints, alike, are_among
from fashionrec.neighbours.plans import ListPlan
from fashionrec.neighbours.requests import Purpose, Request
from fashionrec.neighbours.searchable import FOLDER
from fashionrec.neighbours.shared import shared_items
from fashionrec.neighbours.state import State
from fashionrec.settings import NeighbourSettings

SUMMARY = "summary.json"  # the last to be written
VECTORS = "vectors.npy"


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
        return Summary(**json.loads((self.folder / SUMMARY).read_text()))

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
        return shared_items(self.folder / VECTORS, task_device())

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
        products: Ints = load_table(self.entries_file(number))["product_id"].to_numpy()
        return products

    def _entries(self, number: int, places: Ints) -> pa.Table:
        entries = load_table(self.entries_file(number)).take(pa.array(places))
        names = pa.array([self.names[number]] * len(entries), pa.string())
        return entries.add_column(0, "list", names)

    def entries_file(self, number: int) -> Path:
        """Where the entries of a list are."""
        return self.folder / f"list-{number}.arrow"
