"""Searches in this process, as executors run them."""

from collections.abc import Iterable

import pyarrow as pa

from fashionrec.neighbours.cells import cut
from fashionrec.neighbours.inverted import InvertedLists
from fashionrec.neighbours.items import Items
from fashionrec.neighbours.lists import Ints
from fashionrec.neighbours.plans import as_entries
from fashionrec.neighbours.requests import Request
from fashionrec.neighbours.ruled import search
from fashionrec.neighbours.rules import no_pairs


def search_here(
    requests: Iterable[Request],
    ids: Ints,
    pictures: Ints,
    items: Items,
    tile: int,
    lists: InvertedLists | None = None,
) -> pa.Table:
    """What requests find, as entries of lists with a column `purpose`.

    Product ids[i] has the picture `pictures[i]` of `items`.
    """
    found = [as_entries("", ids, no_pairs()).append_column("purpose", pa.array([], pa.string()))]
    for request in requests:
        cells = cut(request.rule, pictures, request.among, items)
        used = request.used(lists, pictures)
        for part in request.tiles(used, pictures, tile):
            rows, floors = request.rows[part], request.floors[part]
            pairs = search(request.rule, cells, pictures, items, rows, floors, used).pairs
            found.append(request.label(as_entries(request.list, ids, pairs)))
    return pa.concat_tables(found)
