"""Searches to run, wherever they run: for which products, among which, and in which tiles."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import pyarrow as pa

from fashionrec.neighbours.cells import largest_cell
from fashionrec.neighbours.inverted import InvertedLists
from fashionrec.neighbours.lists import Floats, Ints
from fashionrec.neighbours.ruled import WIDTH, tiles
from fashionrec.neighbours.rules import Rule

# A tile's vectors take memory as well.
_LARGER = 2
# What is found is a list, is to enter a list that there is, or is what a list should be.
Purpose = Literal["list", "entering", "reference"]


@dataclass(frozen=True)
class Request:
    """Lists to search: of products `rows`, among others, above `floors`, float32 [rows]."""

    list: str
    rule: Rule
    rows: Ints
    among: Ints
    floors: Floats
    purpose: Purpose

    def used(self, lists: InvertedLists | None, pictures: Ints) -> InvertedLists | None:
        """The inverted lists, unless the search is exact without them; product i has the picture
        `pictures[i]`."""
        if lists is None or self.purpose == "reference":
            return None
        return lists if largest_cell(self.rule, pictures, self.among) > lists.few else None

    def tiles(self, lists: InvertedLists | None, pictures: Ints, size: int) -> Sequence[Ints]:
        """The places in `rows` of tiles that are searched together: `size` products, or several
        times as many among so few that the scores are no more."""
        size *= max(1, min(_LARGER, WIDTH // max(len(self.among), 1)))
        alike = None if lists is None else lists.list_of[pictures[self.rows]]
        return tiles(self.rule, self.rows, size, alike)

    def as_reference(self) -> "Request":
        """The same search, exact: what its lists should be."""
        return replace(self, purpose="reference")

    def label(self, entries: pa.Table) -> pa.Table:
        """Entries of lists that were found, with the column `purpose`."""
        purpose = pa.array([self.purpose] * len(entries), pa.string())
        return entries.append_column("purpose", purpose)
