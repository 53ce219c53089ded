"""How fast `neighbours` is beside faiss and scikit-learn, on the same vectors and threads."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import faiss
import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import torch
from sklearn.neighbors import NearestNeighbors

from fashionrec.benchmark.inverted import time_inverted
from fashionrec.benchmark.report import Figures, Timings
from fashionrec.benchmark.vectors import Floats, draw_vectors, keys_of
from fashionrec.cli import Context
from fashionrec.models import current_version
from fashionrec.neighbours.items import prepare_items
from fashionrec.neighbours.local import pairs_here, search_here
from fashionrec.neighbours.neighbours import neighbours
from fashionrec.neighbours.plans import ENTRY, Before, changed_entries, plan_lists
from fashionrec.neighbours.topk import self_top_k, top_k
from fashionrec.runs import recorded
from fashionrec.session import spark_session
from fashionrec.settings import NeighbourSettings
from fashionrec.store import Store
from fashionrec.tables import EMBEDDINGS

SIZES = (10_000, 44_441, 100_000)
_MAIN = 44_441  # the whole catalogue that the study used
_LENGTH = 2048
_CHANGED = 100  # one in so many
_MILLION, _SHORT = 1_000_000, 256  # a million of 2,048 numbers would take 8 GB, twice
_RATIOS = ("n", "kernel_ratio", "step_ratio", "certified", "incremental_ratio", "recall_1m")
_SMALL = 64  # products of the warehouse that shows the step's fixed costs
_FAISS = "faiss IndexFlatIP"
_KERNEL = "kernel, each product once"
_STEP, _FIXED, _FOLLOW = "Spark step", "Spark step, fixed costs", "Spark step, 1% changed"
_READY = "preparation of all in this process"
_WHOLE, _CHANGE = "search of all in this process", "update of 1% changed in this process"


def run(context: Context) -> Figures:
    """Measure the list `similar` of many products; ratios are to faiss IndexFlatIP.

    step_ratio leaves out the fixed costs, those of a warehouse of a few products; incremental_ratio
    is of work in this process, without Spark and without lowering the vectors, which is a figure of
    its own. Sizes past exact lists show inverted lists instead. With --real the vectors are the
    embeddings of --warehouse.
    """
    given, threads = context.config.neighbours, len(os.sched_getaffinity(0))
    settings = given.model_copy(update={"lists": {"similar": given.lists["similar"]}})
    torch.set_num_threads(threads)
    faiss.omp_set_num_threads(threads)
    figures: Figures = {"benchmark": "neighbours", "threads": threads, **dict.fromkeys(_RATIOS)}
    if context.options.real:
        report, vectors = Timings(), _real_vectors(context.warehouse)
        return figures | _measured_exactly(report, settings, vectors) | report.figures()
    sizes = [context.options.size] if context.options.size else [*SIZES, _MILLION]
    for count in sizes:
        figures |= _measured(settings, count, main=count == _MAIN or len(sizes) == 1)
    return figures


def _measured(settings: NeighbourSettings, count: int, *, main: bool) -> Figures:
    """The figures of one size: under their own names, or with the size where it is not the main."""
    report = Timings()
    if count > settings.exact_up_to:
        return time_inverted(report, settings, count, _SHORT) | report.figures()
    vectors = draw_vectors(count + -(-count // _CHANGED), _LENGTH, seed=0)
    figures = _measured_exactly(report, settings, vectors) | report.figures()
    if main:
        return figures
    return {f"{name}, n={count}": value for name, value in figures.items()}


def _measured_exactly(report: Timings, settings: NeighbourSettings, drawn: Floats) -> Figures:
    vectors, changed = _with_changes(drawn)
    _time_faiss(report, vectors, settings.k)
    certified = _time_kernel(report, vectors, settings.k)
    _time_sklearn(report, vectors, settings.k)
    _time_change(report, vectors, changed, settings)
    _time_step(report, vectors, changed, settings)
    return _figures(report.seconds, len(vectors), certified)


def _with_changes(drawn: Floats) -> tuple[Floats, Floats]:
    """Vectors, and the same with one in a hundred replaced by those at the end of `drawn`."""
    count = len(drawn) * _CHANGED // (_CHANGED + 1)
    changed = drawn[:count].copy()
    changed[::_CHANGED] = drawn[count : count + len(changed[::_CHANGED])]
    return drawn[:count], changed


def _real_vectors(warehouse: Path) -> Floats:
    """The embeddings of the current model, in an order of no meaning."""
    store = Store(spark_session("benchmark"), warehouse)
    of_model = ds.field("model_version") == current_version(store)
    rows = store.scan(EMBEDDINGS, ["embedding"], of_model).to_table().combine_chunks()
    vectors = rows["embedding"].combine_chunks().flatten().to_numpy().reshape(len(rows), -1)
    return np.random.default_rng(0).permutation(vectors)


def _time_faiss(report: Timings, vectors: Floats, k: int) -> None:
    with report.timed(_FAISS):
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        index.search(vectors, k + 1)  # each finds itself first


def _time_sklearn(report: Timings, vectors: Floats, k: int) -> None:
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
    before, after = keys_of(len(vectors)), keys_of(len(vectors), _CHANGED)
    ids = np.arange(len(vectors))
    with report.timed(_READY):
        old = prepare_items(vectors, ids)
    new = prepare_items(changed, ids)
    with report.timed(_WHOLE):
        [part] = plan_lists(settings, before)
        entries = search_here(part.requests(len(ids)), ids, ids, old, settings.tile)
    entries = entries.drop(["purpose"]).sort_by([(name, "ascending") for name in ENTRY[1:3]])
    with report.timed(_CHANGE):
        [part] = plan_lists(settings, after, Before(before, lambda _: entries))
        found = {
            request.purpose: pairs_here(request, ids, new, settings.tile)
            for request in part.requests(len(ids))
        }
        changed_entries(part, ids, entries, found)


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
    rows = keys_of(len(vectors), _CHANGED if changed else 0).append_column(
        "embedding", pa.ListArray.from_arrays(ends, flat)
    )
    pq.write_table(rows, file, row_group_size=4096)
    predicted = EMBEDDINGS.columns[-3:]
    nulls = [f"CAST(NULL AS {column.type}) AS {column.name}" for column in predicted]
    read = store.spark.read.parquet(file)
    whole = read.selectExpr("*", "'drawn' AS model_version", *nulls)
    store.sync(EMBEDDINGS, whole.select(*EMBEDDINGS.names))


def _run(store: Store, settings: NeighbourSettings) -> None:
    with recorded(store, "benchmark") as run:
        neighbours(store, "drawn", settings, run)


def _figures(seconds: dict[str, float], count: int, certified: float) -> Figures:
    base = seconds[_FAISS]
    return {
        "n": count,
        "kernel_ratio": seconds[_KERNEL] / base,
        "step_ratio": (seconds[_STEP] - seconds[_FIXED]) / base,
        "certified": certified,
        "incremental_ratio": seconds[_CHANGE] / seconds[_WHOLE],
        "step_fixed_seconds": seconds[_FIXED],
    }
