"""The real job, killed in a chain without cleaning up in between, ends as if undisturbed."""

import logging
import random
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from killing import (
    Nightly,
    checksums,
    kill,
    log_files,
    reading,
    wait_for_log,
    wait_for_work,
    wait_until,
)
from shop import Shop

from conftest import RunJob

log = logging.getLogger(__name__)

_SEED = 20


@dataclass
class Figures:
    """What a chain of kills came to."""

    kills: int = 0
    amid_writes: int = 0
    nights: int = 0
    seconds: float = 0.0
    versions: int = 0


@pytest.fixture
def nightly(tmp_path: Path, tiny_model: Path) -> Nightly:
    return Nightly(Shop(tmp_path / "catalogue", _SEED), tmp_path / "warehouse", tiny_model)


def kill_chain(nightly: Nightly, kills: int, seconds: float, writes: int) -> Figures:
    """Kill so many nights: half at a moment of a night's `seconds`, half amid its `writes`.

    The shop changes after a night that got through, and now and then after one that did not.
    """
    draw, figures = random.Random(_SEED), Figures()
    while figures.kills < kills:
        amid_writes = figures.kills % 2 == 1
        process = nightly.start()
        wait_for_work(process, nightly.warehouse)
        if amid_writes:
            wait_for_log(process, nightly.warehouse, draw.randint(1, writes))
        else:
            end = time.monotonic() + draw.uniform(0, seconds)
            wait_until(process, lambda end=end: time.monotonic() > end)
        if kill(process):
            figures.kills += 1
            figures.amid_writes += amid_writes
        else:
            assert process.returncode == 0, nightly.warehouse.parent / "logs"
            figures.nights += 1
        log.info("%s", figures)
        if process.returncode == 0 or draw.random() < 0.25:
            nightly.shop.change()
    return figures


def measured(nightly: Nightly) -> tuple[float, int]:
    """Return the seconds of an undisturbed night, and how many files its logs have."""
    calm = replace(nightly, warehouse=nightly.warehouse.parent / "calm")
    seconds = calm.finish()
    return seconds, len(log_files(calm.warehouse))


def run_chain(nightly: Nightly, kills: int, capsys: pytest.CaptureFixture[str]) -> None:
    seconds, writes = measured(nightly)
    began = time.monotonic()
    with reading(nightly.warehouse) as reader:
        figures = kill_chain(nightly, kills, seconds, writes)
        nightly.finish()
    figures.seconds, figures.versions = time.monotonic() - began, len(reader.seen)
    last = replace(nightly, warehouse=nightly.warehouse.parent / "last")
    last.finish()
    assert checksums(nightly.warehouse) == checksums(last.warehouse)
    reader.check(nightly.shop.states)
    with capsys.disabled():
        print(f"\n{figures}: contents equal; a reader polled {reader.polls:,} times")


def test_four_kills(nightly: Nightly, run_job: RunJob) -> None:
    """The short form for every day: the undisturbed nights run in this process."""
    with reading(nightly.warehouse) as reader:
        assert kill_chain(nightly, 4, seconds=12, writes=20).kills == 4
        assert run_job("nightly", *nightly.options) == 0
    calm = replace(nightly, warehouse=nightly.warehouse.parent / "calm")
    assert run_job("nightly", *calm.options) == 0
    assert checksums(nightly.warehouse) == checksums(calm.warehouse)
    reader.check(nightly.shop.states)


@pytest.mark.slow
def test_fifty_kills(nightly: Nightly, capsys: pytest.CaptureFixture[str]) -> None:
    run_chain(nightly, 50, capsys)
