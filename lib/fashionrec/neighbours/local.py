"""Searches in this process, as executors run them."""

from collections.abc import Iterable

import pyarrow as pa

from fashionrec.neighbours.cells import cut
from fashionrec.neighbours.inverted import InvertedLists
from fashionrec.neighbours.items import Items
from fashionrec.neighbours.lists import Ints, Pairs, ranked
from fashionrec.neighbours.plans import as_entries
from fashionrec.neighbours.requests import Request
from fashionrec.neighbours.ruled import search
from fashionrec.neighbours.rules import joined, no_pairs


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
        pairs = pairs_here(request, pictures, items, tile, lists)
        found.append(request.label(as_entries(request.list, ids, pairs)))
    return pa.concat_tables(found)


def pairs_here(
    request: Request, pictures: Ints, items: Items, tile: int, lists: InvertedLists | None = None
) -> Pairs:
    """What a request finds, as pairs of products, by row, best first."""
    cells = cut(request.rule, pictures, request.among, items)
    used = request.used(lists, pictures)
    tiles = request.tiles(used, pictures, tile)
    rows = ((request.rows[part], request.floors[part]) for part in tiles)
    found = [search(request.rule, cells, pictures, items, *part, used).pairs for part in rows]
    pairs = joined(found)
    return pairs.take(ranked(pairs.rows, pairs.columns, pairs.scores)[0])
