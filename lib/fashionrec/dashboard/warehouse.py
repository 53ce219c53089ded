"""What the pages ask of a warehouse: rows by SQL, pictures by product, the search by picture."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fashionrec.dashboard.filters import CATALOGUE
from fashionrec.dashboard.pictures import tile
from fashionrec.neighbours.searchable import Searchable, open_searchable
from fashionrec.paths import at
from fashionrec.read import TableReader
from fashionrec.snapshot import Snapshot
from fashionrec.tables import PRODUCTS

_TILES = 20_000  # kept in memory, some 8 kB each

Key = tuple[tuple[str, int], ...]


def key_of(warehouse: str | Path) -> Key:
    """Return the tables' versions, which tell them from those after another night; () before the
    first.
    """
    reader = TableReader(warehouse)
    return tuple(sorted(reader.versions().items())) if reader.exists(PRODUCTS) else ()


class Warehouse:
    """The tables at one moment. Several threads may ask at once."""

    def __init__(self, warehouse: str | Path, key: Key) -> None:
        self.path, self.key = at(warehouse), key
        self._connection = Snapshot(warehouse).connect()
        self._connection.execute(CATALOGUE)
        self._tiles: OrderedDict[int, bytes] = OrderedDict()
        self._lock = threading.Lock()
        self.searchable: Searchable | None = open_searchable(warehouse)

    def rows(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> pd.DataFrame:
        """Return the rows of a query with bound values."""
        with self._connection.cursor() as cursor:
            return cursor.execute(sql, values).df()

    def contents(self, ids: Iterable[int]) -> dict[int, bytes]:
        """Return the pictures of a few products, those that have one, as found."""
        sql = "SELECT product_id, content FROM images WHERE product_id IN (SELECT unnest(?))"
        with self._connection.cursor() as cursor:
            found = cursor.execute(sql, [list(ids)]).fetchall()
        return {int(product_id): bytes(content) for product_id, content in found}

    def tiles(self, ids: Iterable[int], make: Callable[[bytes], bytes] = tile) -> dict[int, bytes]:
        """Return a small picture of one size for each of a few products that have one."""
        wanted = list(dict.fromkeys(ids))
        with self._lock:
            missing = [each for each in wanted if each not in self._tiles]
        fresh = {i: make(content) for i, content in self.contents(missing).items()}
        with self._lock:
            self._tiles |= fresh
            found = {i: self._tiles[i] for i in wanted if i in self._tiles}
            while len(self._tiles) > _TILES:
                self._tiles.popitem(last=False)
        return found
