"""Searches in this process, as executors run them."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from fashionrec.neighbours.cells import cut
from fashionrec.neighbours.items import Items
from fashionrec.neighbours.lists import Ints
from fashionrec.neighbours.plans import Request, as_entries
from fashionrec.neighbours.ruled import search, tiles
from fashionrec.neighbours.rules import no_pairs


def search_here(
    requests: Iterable[Request], ids: Ints, pictures: Ints, items: Items, tile: int
) -> pa.Table:
    """What requests find, as entries of lists with a column `entering`.

    Product ids[i] has the picture `pictures[i]` of `items`.
    """
    found = [as_entries("", ids, no_pairs()).append_column("entering", pa.array([], pa.bool_()))]
    for request in requests:
        cells = cut(request.rule, pictures, request.among, items)
        for part in tiles(request.rule, request.rows, tile):
            rows, floors = request.rows[part], request.floors[part]
            pairs = search(request.rule, cells, pictures, items, rows, floors).pairs
            entries = as_entries(request.list, ids, pairs)
            entering = pa.array(np.full(len(entries), request.entering))
            found.append(entries.append_column("entering", entering))
    return pa.concat_tables(found)
