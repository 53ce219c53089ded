"""How long a look-up of products takes: delta-rs, DuckDB and the Thrift server beside a search."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyhive import hive

from fashionrec import read
from fashionrec.benchmark.report import Figures
from fashionrec.benchmark.vectors import draw_vectors
from fashionrec.cli import Context
from fashionrec.datafiles import DataFile, write_file
from fashionrec.session import spark_session
from fashionrec.settings import SqlServerSettings
from fashionrec.sql_server import serving
from fashionrec.store import Store
from fashionrec.tables import RECOMMENDATIONS

_PRODUCTS = 44_441  # the whole catalogue that the study used
_GROWN = 10  # how many times as many are looked up in as well
_LISTS, _K, _LENGTH, _MANY = ("complete_the_look", "similar", "similar_styles"), 5, 2048, 1_000
_REPEATS, _SECONDS = {1: 100, _MANY: 20}, 15  # at most

Lookup = Callable[[Sequence[int]], object]
Ids = NDArray[np.int64]


def run(context: Context) -> Figures:
    """Look up one product, and a thousand, in drawn lists; milliseconds, all of it warm.

    Brute force is what is done without lists: the product's vector against all, per query.
    """
    count = context.options.size or _PRODUCTS
    figures: Figures = {"benchmark": "lookup", "n": count, "grown": count * _GROWN}
    with TemporaryDirectory(prefix="fashionrec-benchmark-") as folder:
        for size in (count, count * _GROWN):
            store = Store(spark_session("benchmark"), Path(folder) / str(size))
            store.create_missing()
            store.add_files(RECOMMENDATIONS, list(_files(store, size)))
            for name, lookup in _tables(store, context.config.sql_server, f"n{size}"):
                _time(figures, f"{name}, {size:,} products", lookup, size)
    vectors = draw_vectors(count, _LENGTH, seed=1)
    _time(figures, f"brute force, {count:,} products", lambda ids: _search(vectors, ids), count)
    return figures


def _files(store: Store, size: int) -> Iterator[DataFile]:
    """Write lists as a night does, in files that hold a range of products each."""
    path, schema = store.path(RECOMMENDATIONS), store.arrow_schema(RECOMMENDATIONS)
    rows = len(_LISTS) * _K
    for ids in np.array_split(np.arange(size), -(-size * rows // RECOMMENDATIONS.rows_per_file)):
        yield write_file(_rows(ids, size).cast(schema), path, RECOMMENDATIONS.key)


def _rows(ids: Ids, size: int) -> pa.Table:
    count = len(ids) * len(_LISTS) * _K
    others = (np.repeat(ids, len(_LISTS) * _K) + 1 + np.arange(count) % (size - 1)) % size
    values = {
        "list": pa.array(np.tile(np.repeat(_LISTS, _K), len(ids))),
        "product_id": np.repeat(ids, len(_LISTS) * _K),
        "rank": np.tile(np.arange(1, _K + 1), len(ids) * len(_LISTS)),
        "neighbour_id": others,
        "similarity": np.tile(np.linspace(0.9, 0.5, _K), len(ids) * len(_LISTS)),
    }
    names = pa.array([f"Brand Women Printed Article {id}" for id in range(size)])
    told = {"product_display_name": values["product_id"], "neighbour_display_name": others}
    values |= {column: names.take(pa.array(of)) for column, of in told.items()}
    same = pa.array(np.full(count, "Tshirts"))
    return pa.table({name: values.get(name, same) for name in RECOMMENDATIONS.names})


def _tables(store: Store, settings: SqlServerSettings, schema: str) -> Iterator[tuple[str, Lookup]]:
    snapshot = read.warehouse(store.warehouse)
    yield "delta-rs", lambda ids: snapshot.recommendations(*ids)
    connection = snapshot.connect()
    yield "DuckDB", lambda ids: connection.execute(_query(ids)).fetchall()
    with (
        serving(store, settings, schema),
        hive.connect(settings.host, settings.port, database=schema) as client,
        client.cursor() as cursor,
    ):

        def ask(ids: Sequence[int]) -> object:
            cursor.execute(_query(ids))
            return cursor.fetchall()

        yield "Thrift server", ask


def _query(ids: Sequence[int]) -> str:
    return f"SELECT * FROM recommendations WHERE product_id IN ({', '.join(map(str, ids))})"


def _search(vectors: NDArray[np.float32], ids: Sequence[int]) -> object:
    scores = vectors[list(ids)] @ vectors.T
    return np.argpartition(scores, -_K - 1, axis=1)[:, -_K - 1 :]


def _time(figures: Figures, name: str, lookup: Lookup, size: int) -> None:
    rng = np.random.default_rng(1)
    for many, repeats in _REPEATS.items():
        seconds: list[float] = []
        while len(seconds) < repeats + 2 and sum(seconds) < _SECONDS:
            ids = rng.choice(size, min(many, size), replace=False).tolist()
            began = time.perf_counter()
            lookup(ids)
            seconds.append(time.perf_counter() - began)
        p50, p99 = np.percentile(seconds[2:], [50, 99]) * 1_000  # the first two warm it up
        figures[f"{name}, {many:,}: p50, ms"] = float(p50)
        figures[f"{name}, {many:,}: p99, ms"] = float(p99)
