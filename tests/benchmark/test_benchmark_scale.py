"""The drawn shop is a whole catalogue, every step of it is timed, and growth is an exponent."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from fashionrec.benchmark import scale
from fashionrec.benchmark.report import Figures
from fashionrec.tables import PRODUCTS, RECOMMENDATIONS, REJECTS


def test_growth_is_the_exponent_of_n() -> None:
    measured: list[Figures] = [{"n": n, "x_s": 3 * n**1.5} for n in (10, 200, 3_000)]
    assert scale._growth(measured, "x_s") == pytest.approx(1.5)


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
