"""The benchmark at a small size: its figures are there and mean what they say."""

import json
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from conftest import ROOT, RunJob
from fashionrec.benchmark import embed
from fashionrec.benchmark.embed_loops import Loop, pace_of
from fashionrec.benchmark.embed_parity import parity_of_reduced_decoding, parity_with_fp32
from fashionrec.benchmark.pictures import pictures_of_size, usable_pictures
from fashionrec.config import load
from fashionrec.embed.encoder import Program
from fashionrec.embed.engines import choose_program
from fashionrec.embed.model import load_model

EMBED = load().embed


def program(engine: str) -> Program:
    model = load_model("models/fashion-base", ROOT)
    return choose_program(model, EMBED.model_copy(update={"engine": engine, "device": "cpu"}))


def test_engines_stay_close_to_fp32(catalogue: Path) -> None:
    model = load_model("models/fashion-base", ROOT)
    contents = usable_pictures(catalogue, 60)
    programs = [program(engine) for engine in ("openvino", "torch")]
    figures = parity_with_fp32(model, programs, contents, threads=2)
    assert figures.pop("parity_pictures") == 60
    for name, cosine in figures.items():
        assert (0.9995 if name.endswith("mean") else 0.998) <= cosine <= 1.0001, figures
    assert len(figures) == 6


def test_reduced_decoding_keeps_the_embedding(catalogue: Path) -> None:
    contents = pictures_of_size(catalogue, (900, 1200))[:8]
    figures = parity_of_reduced_decoding(program("openvino"), contents, "case", threads=2)
    assert figures["case_reduced_decoding_cosine_mean"] > 0.999


def fails(_program: Program, _contents: list[bytes]) -> Loop:
    raise ValueError("a process failed")


def test_a_process_that_fails_is_no_silent_wait() -> None:
    with pytest.raises(ValueError, match="a process failed"):
        pace_of(fails, program("torch"), [b"", b""], processes=2)


def test_the_last_line_is_json(
    spark: SparkSession,
    run_job: RunJob,
    catalogue: Path,
    tiny_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(embed, "_INPUTS", ((24, 32),))
    monkeypatch.setattr(embed, "_CASES", {(60, 80): (1.0,), embed._LARGE: (0.02,)})
    paths = ("--catalogue", catalogue, "--set", f"model={tiny_model}")
    assert run_job("benchmark", "embed", "--size", 1600, *paths) == 0
    figures = json.loads(capfd.readouterr().out.splitlines()[-1])
    for case in ("60x80_at_32x24", "1800x2400_at_32x24"):
        bare, job = figures[f"{case}_bare_loop_per_s"], figures[f"{case}_job_per_s"]
        assert figures[f"{case}_job_to_bare_loop"] == pytest.approx(job / bare)
        network = figures["at_32x24_network_per_s"]
        assert figures[f"{case}_bare_loop_to_network"] == pytest.approx(bare / network)
        assert bare > 0
        assert figures[f"{case}_peak_mb"] > figures[f"{case}_peak_mb_per_worker"] > 50
    assert figures["1800x2400_at_32x24_reduced_decoding_decode_faster"] > 2
    assert {"at_32x24_network_openvino_per_s", "at_32x24_network_torch_per_s"} < set(figures)
