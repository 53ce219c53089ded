"""The drawn shop is a whole catalogue, every step of it is timed, and growth is what fits."""

import logging
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image
from pyspark.sql import SparkSession

from fashionrec.benchmark import report, scale
from fashionrec.benchmark.growth import draw_growth, growth
from fashionrec.benchmark.report import Figures, peak_memory
from fashionrec.errors import FashionrecError
from fashionrec.tables import PRODUCTS, RECOMMENDATIONS, REJECTS


def shaped(n: int, cores: int = 1) -> Figures:
    """What a step takes that grows with the power of 1.5, and one that starts with 10 s."""
    fixed = {"inverted_s": 3 * n**1.5, "embed_s": 10 + 0.002 * n / cores}
    return {"n": n, "cores": cores, "embed_mb": 500 + 0.03 * n} | fixed


def test_growth_is_what_fits_the_sizes() -> None:
    measured = [shaped(n) for n in (10_000, 44_441, 200_000)]
    fits = growth(measured, "embed") | growth(measured, "inverted") | growth(measured, "publish")
    assert fits["inverted grows with the power of n"] == pytest.approx(1.5)
    assert fits["embed, fixed s"] == pytest.approx(10)
    assert fits["embed, ms per product"] == pytest.approx(2)
    assert fits["embed, fixed MB"] == pytest.approx(500)
    assert fits["embed, kB per product"] == pytest.approx(30)
    assert not any("publish" in name for name in fits)
    assert growth(measured[:1], "embed") == {}


def test_cores_are_told_and_drawn_apart(tmp_path: Path) -> None:
    measured = [shaped(n, cores) for cores in (1, 2) for n in (10_000, 200_000)]
    figures = scale.summarize(measured)
    assert figures["1 core(s), n=200000: embed_s"] == pytest.approx(410)
    assert figures["2 core(s), embed, ms per product"] == pytest.approx(1)
    draw_growth(measured, scale._STEPS, tmp_path / "growth.png")
    with Image.open(tmp_path / "growth.png") as chart:
        assert chart.size == (1100, 450)


def test_what_was_measured_outlives_a_size_that_fails(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one = "import json, sys; n, cores = map(int, sys.argv[1:]); assert n < 44_441\n"
    one += "print(json.dumps({'n': n, 'cores': cores}))"
    monkeypatch.setattr(scale, "_ONE", one)
    monkeypatch.setattr(logging.getLogger("fashionrec"), "propagate", True)
    caplog.set_level("INFO", "fashionrec")
    context = SimpleNamespace(options=SimpleNamespace(size=None, plot=None))
    with pytest.raises(FashionrecError, match=r"44,441 products on 1 core\(s\) failed"):
        scale.run(context)
    assert 'scale: {"n": 10000, "cores": 1}' in caplog.messages


def test_memory_is_that_of_this_process_and_those_it_started() -> None:
    figures: Figures = {}
    held = "held = b'x' * 200_000_000; print(flush=True); input()"
    child = [sys.executable, "-c", held]
    with subprocess.Popen(child, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as started:
        started.stdout.readline()
        with peak_memory(figures, "mb"):  # shorter than the pause between two looks
            pass
        told = report._memory_mb()
        started.communicate(b"\n")
    assert told[started.pid] > 200
    assert os.getpid() in told
    assert os.getppid() not in told
    assert figures["mb"] > 200


def test_every_step_is_timed(spark: SparkSession, tmp_path: Path) -> None:
    figures: Figures = {}
    night = scale._Night(tmp_path / "night", figures)
    night.run(200)
    timed = {name.removesuffix("_s") for name in figures if name.endswith("_s")}
    assert timed == set(scale._STEPS)
    assert {f"{name}_mb" for name in timed} <= set(figures)
    assert figures["inverted_recall"] == 1
    store = night.store
    assert store.count(PRODUCTS) == 200
    assert store.count(REJECTS) == 0
    assert store.read(RECOMMENDATIONS).where("list = 'similar'").count() == 1_000
    renamed = store.read(PRODUCTS).where("product_display_name LIKE '% again'")
    assert renamed.count() == 200 // scale._CHANGED
