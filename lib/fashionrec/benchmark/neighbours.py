"""How fast `neighbours` is beside faiss and scikit-learn, on the same vectors and threads."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import faiss
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from sklearn.neighbors import NearestNeighbors

from fashionrec.benchmark.report import Figures, Timings
from fashionrec.benchmark.vectors import Floats, draw_vectors
from fashionrec.cli import Context
from fashionrec.config import NeighbourSettings
from fashionrec.neighbours.items import prepare_items
from fashionrec.neighbours.local import search_here
from fashionrec.neighbours.neighbours import neighbours
from fashionrec.neighbours.plans import as_entries, plan_lists
from fashionrec.neighbours.rules import no_pairs
from fashionrec.neighbours.topk import self_top_k, top_k
from fashionrec.runs import recorded
from fashionrec.session import spark_session
from fashionrec.store import Store
from fashionrec.tables import EMBEDDINGS

SIZE = 44_441
_LENGTH = 2048
_CHANGED = 100  # one in so many
_SMALL = 64  # products of the warehouse that shows the step's fixed costs
_FAISS = "faiss IndexFlatIP"
_KERNEL = "kernel, each product once"
_STEP, _FIXED, _FOLLOW = "Spark step", "Spark step, fixed costs", "Spark step, 1% changed"
_WHOLE, _CHANGE = "search of all in this process", "search after 1% changed"


def run(context: Context) -> Figures:
    """Measure the list `similar` of many products; ratios are to faiss IndexFlatIP.

    step_ratio leaves out the fixed costs, which are those of a warehouse of a few products;
    incremental_ratio is of the searches alone.
    """
    count = context.options.size or SIZE
    threads = len(os.sched_getaffinity(0))
    report, given = Timings(), context.config.neighbours
    settings = given.model_copy(update={"lists": {"similar": given.lists["similar"]}})
    torch.set_num_threads(threads)
    faiss.omp_set_num_threads(threads)
    vectors = draw_vectors(count, _LENGTH, seed=0)
    changed = _with_changes(vectors)
    _time_others(report, vectors, settings.k)
    certified = _time_kernel(report, vectors, settings.k)
    _time_change(report, vectors, changed, settings)
    _time_step(report, vectors, changed, settings)
    return {"benchmark": "neighbours", "threads": threads} | _figures(report, count, certified)


def _with_changes(vectors: Floats) -> Floats:
    """The vectors with one in a hundred drawn anew."""
    changed = vectors.copy()
    changed[::_CHANGED] = draw_vectors(len(changed[::_CHANGED]), vectors.shape[1], seed=1)
    return changed


def _time_others(report: Timings, vectors: Floats, k: int) -> None:
    with report.timed(_FAISS):
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        index.search(vectors, k + 1)  # each finds itself first
    with report.timed("scikit-learn brute force"):
        search = NearestNeighbors(n_neighbors=k + 1, algorithm="brute", metric="cosine")
        search.fit(vectors).kneighbors(vectors)


def _time_kernel(report: Timings, vectors: Floats, k: int) -> float:
    """Time both ways of the kernel, preparation included; return the share of proved rows."""
    ids = np.arange(len(vectors))
    with report.timed(_KERNEL):
        found = self_top_k(prepare_items(vectors, ids), k)
    with report.timed("kernel, queries against items"):
        top_k(vectors, ids, prepare_items(vectors, ids), k)
    return float(found.certified.mean())


def _time_change(
    report: Timings, vectors: Floats, changed: Floats, settings: NeighbourSettings
) -> None:
    before, after = _keys(len(vectors), changed=False), _keys(len(vectors), changed=True)
    ids = np.arange(len(vectors))
    old, new = prepare_items(vectors, ids), prepare_items(changed, ids)
    nothing = as_entries("", ids, no_pairs())
    with report.timed(_WHOLE):
        plans = plan_lists(settings, before, None, nothing)
        requests = [request for part in plans for request in part.requests(len(ids))]
        entries = search_here(requests, ids, ids, old, settings.tile)
    with report.timed(_CHANGE):
        plans = plan_lists(settings, after, before, entries.drop(["purpose"]))
        requests = [request for part in plans for request in part.requests(len(ids))]
        search_here(requests, ids, ids, new, settings.tile)


def _keys(count: int, *, changed: bool) -> pa.Table:
    shas = [
        f"{'new' if changed and i % _CHANGED == 0 else 'old'} picture {i}" for i in range(count)
    ]
    return pa.table({"product_id": np.arange(count), "image_sha256": shas})


def _time_step(
    report: Timings, vectors: Floats, changed: Floats, settings: NeighbourSettings
) -> None:
    with TemporaryDirectory(prefix="fashionrec-") as folder:
        small, large = (_store(Path(folder) / name) for name in ("small", "large"))
        _put(small, vectors[:_SMALL], changed=False)
        _run(small, settings)  # starts the python workers
        _put(small, changed[:_SMALL], changed=True)
        with report.timed(_FIXED):
            _run(small, settings)
        _put(large, vectors, changed=False)
        with report.timed(_STEP):
            _run(large, settings)
        _put(large, changed, changed=True)
        with report.timed(_FOLLOW):
            _run(large, settings)


def _store(warehouse: Path) -> Store:
    store = Store(spark_session("benchmark"), warehouse)
    store.create_missing()
    return store


def _put(store: Store, vectors: Floats, *, changed: bool) -> None:
    """Make `embeddings` hold the vectors, through a file: they are too many for the driver."""
    file = f"{store.warehouse}/vectors-{changed}.parquet"
    flat = pa.array(np.ascontiguousarray(vectors).reshape(-1))
    ends = np.arange(0, vectors.size + 1, vectors.shape[1], dtype=np.int32)
    rows = _keys(len(vectors), changed=changed).append_column(
        "embedding", pa.ListArray.from_arrays(ends, flat)
    )
    pq.write_table(rows, file, row_group_size=4096)
    nothing = ["predicted_article_type STRING", "predicted_probability FLOAT"]
    nothing.append("predicted_accepted BOOLEAN")
    nulls = [f"CAST(NULL AS {kind}) AS {name}" for name, kind in map(str.split, nothing)]
    read = store.spark.read.parquet(file)
    whole = read.selectExpr("*", "'drawn' AS model_version", *nulls)
    store.sync(EMBEDDINGS, whole.select(*EMBEDDINGS.names))


def _run(store: Store, settings: NeighbourSettings) -> None:
    with recorded(store, "benchmark") as run:
        neighbours(store, "drawn", settings, run)


def _figures(report: Timings, count: int, certified: float) -> Figures:
    seconds = report.seconds
    base = seconds[_FAISS]
    return {
        "n": count,
        "kernel_ratio": seconds[_KERNEL] / base,
        "step_ratio": (seconds[_STEP] - seconds[_FIXED]) / base,
        "certified": certified,
        "incremental_ratio": seconds[_CHANGE] / seconds[_WHOLE],
        "step_fixed_seconds": seconds[_FIXED],
        "recall_1m": None,  # inverted lists are not there yet
        **{f"{what}, seconds": taken for what, taken in seconds.items()},
    }
