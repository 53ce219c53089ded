"""Products of many shapes leave little in memory."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import psutil
import pyarrow as pa
import pytest
import torch

from fashionrec.benchmark.vectors import draw_vectors
from fashionrec.neighbours import executors
from fashionrec.neighbours.items import prepare_items
from fashionrec.neighbours.lowering import keep_few_kernels
from fashionrec.neighbours.topk import top_k

CAPACITY = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"


def kept_mb() -> float:
    """What searches by another 150 numbers of queries leave in this process, in MB."""
    keep_few_kernels()
    torch.set_num_threads(1)
    vectors, ids = draw_vectors(4_096, 512, seed=0), np.arange(4_096)
    items, process = prepare_items(vectors, ids, precision="bf16"), psutil.Process()
    before = 0.0
    for count in range(300, 500):
        if count == 350:  # what any search leaves is there
            before = process.memory_full_info().uss
        top_k(vectors[:count], ids[:count], items, 5)
    return float(process.memory_full_info().uss - before) / 1e6


def test_many_shapes_leave_little() -> None:
    with ProcessPoolExecutor(1, get_context("spawn")) as apart:
        assert apart.submit(kept_mb).result() < 250


def test_a_search_in_an_executor_keeps_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CAPACITY, "")  # so that it is as before afterwards
    del os.environ[CAPACITY]
    nothing = pa.RecordBatch.from_pydict({"id": pa.array([], pa.int64())})

    class Ready:
        summary = "what there is"

    monkeypatch.setattr(executors._Node, "of", lambda _: type("Node", (), {"ready": Ready}))
    assert not list(executors._run([nothing], None, Ready.summary, 1))  # type: ignore[arg-type]
    assert os.environ[CAPACITY] == "32"
