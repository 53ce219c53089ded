"""What `run.sh` measures: whole where there is a GPU, and in parts, on the CPU, everywhere."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from gpu_checks import Watched, embed_loop, neighbour_kernel, parity, program_for, wrong_lists
from gpu_training import training
from measure import main, missed

from conftest import ROOT
from fashionrec.benchmark.pictures import usable_pictures
from fashionrec.benchmark.vectors import draw_vectors
from fashionrec.embed.model import load_model
from fashionrec.neighbours.items import prepare_items
from fashionrec.neighbours.topk import self_top_k

GOOD = {
    "parity_cosine_least": 0.9995,
    "embed_60x80_problems": 0,
    "neighbours_cuda_tiles_wrong": 0,
    "training_first_loss": 2.0,
    "training_last_loss": 1.0,
}


@pytest.mark.gpu
def test_the_gpu() -> None:
    assert main("cuda") == 0


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_the_script_refuses_in_one_line() -> None:
    env = os.environ | {"PYTHON": os.environ["PYSPARK_PYTHON"]}
    script = ROOT / "tests" / "gpu" / "run.sh"
    said = subprocess.run([str(script)], env=env, capture_output=True, text=True, timeout=120)
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr.startswith("error: torch sees no usable GPU")
    assert said.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("parity_cosine_least", 0.9989, "parity_cosine_least is 0.99890, below 0.999"),
        ("parity_cosine_least", float("nan"), "parity_cosine_least is nan, below 0.999"),
        ("embed_60x80_problems", 2, "embed_60x80_problems is 2: it must be 0"),
        ("neighbours_cuda_tiles_wrong", 1, "neighbours_cuda_tiles_wrong is 1: it must be 0"),
        ("training_last_loss", 2.0, "the loss of the second epoch is not below that of the first"),
    ],
)
def test_a_bound_that_is_missed_is_told(name: str, value: float, says: str) -> None:
    assert list(missed(GOOD)) == []
    assert list(missed(GOOD | {name: value})) == [says]


def test_parity_and_the_loop(catalogue: Path) -> None:
    program = program_for(load_model("models/fashion-base", ROOT), "cpu", batch_size=8)
    figures = parity(program, catalogue, 8, threads=2)
    assert figures["engine"] == program.engine
    assert 0.998 < figures["parity_cosine_least"] <= figures["parity_cosine_mean"] <= 1.0001
    contents = [*usable_pictures(catalogue, 9), b"no picture"]
    figures = embed_loop(program, contents, threads=2)
    assert figures["problems"] == 1
    assert figures["per_s"] > 0
    assert 0 < figures["waiting_share"] < 1


def test_waiting_is_when_no_batch_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([10.0, 12.0, 18.0, 20.0, 21.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(times))
    watched = Watched(SimpleNamespace(batch_size=1, encode=list))
    for batch in ([1], [2]):  # from 12 to 18, and from 20 to 21
        assert watched.encode(batch) == batch
    assert watched.waited == (12 - 10) + (20 - 18)


def test_the_kernel() -> None:
    figures = neighbour_kernel("cpu", 300, 40, k=5)
    assert {n: v for n, v in figures.items() if n.endswith("wrong")} == {
        "neighbours_cpu_each_once_wrong": 0,
        "neighbours_cpu_tiles_wrong": 0,
    }
    assert figures["neighbours_cpu_tiles_s"] > 0


def test_a_wrong_list_is_found() -> None:
    vectors = draw_vectors(300, 40, seed=0)
    vectors[7] = vectors[3]  # ties: the suspects that are right
    found = self_top_k(prepare_items(vectors, np.arange(300)), 5)
    assert wrong_lists(vectors, found) == 0
    ids, similarities = found.ids.copy(), found.similarities.copy()
    ids[5, [3, 4]] = ids[5, [4, 3]]  # another order
    similarities[9, 2] = np.nextafter(similarities[9, 2], np.float32(2))
    ids[280, 4] = next(i for i in range(300) if i != 280 and i not in ids[280])
    assert wrong_lists(vectors, replace(found, ids=ids, similarities=similarities)) == 3


def test_two_epochs(catalogue: Path, tiny_model: Path, tmp_path: Path) -> None:
    model = load_model(str(tiny_model), ROOT)
    figures = training(model, catalogue, tmp_path, "cpu", ranks=2, count=48)
    assert (figures["training_processes"], figures["training_epochs"]) == (2, 2)
    assert figures["training_pictures"] == 32
    assert figures["training_last_loss"] < figures["training_first_loss"]
    json.dumps(figures)
