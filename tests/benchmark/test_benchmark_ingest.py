"""`benchmark ingest` on a few files: that its figures are there and belong together."""

import json
from pathlib import Path

import pytest

from conftest import RunJob


def test_every_figure_is_there(
    catalogue: Path, run_job: RunJob, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_job("benchmark", "ingest", "--catalogue", catalogue, "--size", 40) == 0
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (figures["benchmark"], figures["files"]) == ("ingest", 40)
    measured = {name: value for name, value in figures.items() if name.endswith("_s")}
    assert set(measured) == {
        "list_files_s",
        "list_members_s",
        "empty_job_s",
        "loop_read_hash_s",
        "loop_read_hash_decode_s",
        "delta_write_s",
        "binary_file_s",
        "first_s",
        "unchanged_s",
        "changed_1_percent_s",
    }
    assert min(measured.values()) > 0
    assert figures["unchanged_s"] < figures["first_s"]  # a night that reads nothing
    bound = figures["loop_read_hash_decode_s"] + figures["delta_write_s"]
    assert figures["first_to_loop_and_delta"] == pytest.approx(figures["first_s"] / bound)
    assert 20 < figures["list_files_bytes"] / 40 < 400
    assert figures["first_peak_mb"] > figures["first_peak_mb_per_worker"] > 0


def test_a_catalogue_without_files_to_copy_is_refused(
    tmp_path: Path, run_job: RunJob, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_job("benchmark", "ingest", "--catalogue", tmp_path) == 2
    assert "has no folder images, whose files this measures with" in capsys.readouterr().err
