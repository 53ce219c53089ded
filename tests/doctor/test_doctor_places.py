"""Checks of storage, disk, memory, clock, catalogue, model and lock: each well, and each wrong."""

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from conftest import ROOT
from fashionrec.config import load
from fashionrec.doctor import machine
from fashionrec.doctor.doctor import _check_clock, _check_tables
from fashionrec.doctor.machine import (
    Place,
    Size,
    apart,
    check_catalogue,
    check_clock,
    check_disk,
    check_lock,
    check_memory,
    check_model,
    last_run,
    memory_limit,
    need_of_warehouse,
    need_of_work,
    size_of,
)
from fashionrec.doctor.storage import check_log_store, check_rights, probe, system_of
from fashionrec.errors import FashionrecError
from fashionrec.lock import WHOLE, holders, locked
from fashionrec.read import TableReader
from fashionrec.store import Store
from fashionrec.tables import PRODUCTS

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
GB = 10**9


def test_a_folder_that_may_be_written(tmp_path: Path) -> None:
    finding = check_rights(str(tmp_path))
    assert finding.status == "ok"
    assert finding.found == f"{tmp_path} ({system_of(str(tmp_path))})"
    finding = check_rights(f"{tmp_path}/a/b")
    assert f"to be made below {tmp_path}" in finding.found
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("step", ["os.link", "fcntl.flock", "pathlib.Path.rename"])
def test_each_thing_that_nights_do_is_tried(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(step, refuse)
    finding = check_rights(str(tmp_path))
    assert finding.status == "fail"
    assert "(Operation not permitted)" in finding.found
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_may_not_be_written() -> None:
    finding = check_rights("/proc/warehouse")
    assert finding.status == "fail"
    assert finding.todo.startswith("give this user the rights")


@pytest.mark.parametrize(
    ("location", "system", "log_store", "status"),
    [
        ("/data", "ext4", "", "ok"),
        ("/data", "nfs4", "", "warn"),
        ("/data", "fuse.sshfs", "", "warn"),
        ("hdfs://host/data", "hdfs", "", "ok"),
        ("s3a://bucket/data", "s3a", "", "warn"),
        ("s3a://bucket/data", "s3a", "io.delta.storage.S3DynamoDBLogStore", "ok"),
        ("oss://bucket/data", "oss", "", "warn"),
    ],
)
def test_log_store(location: str, system: str, log_store: str, status: str) -> None:
    finding = check_log_store(location, system, log_store)
    assert finding.status == status
    assert bool(finding.todo) == (status != "ok")


def test_tables_are_ours(night: Store, tmp_path: Path) -> None:
    assert _check_tables(night.warehouse).found == "table schema 1"
    finding = _check_tables(f"{tmp_path}/none")
    assert finding.status == "ok"
    assert "to be made" in finding.found
    (tmp_path / "other" / PRODUCTS.name).mkdir(parents=True)
    (tmp_path / "other" / PRODUCTS.name / "file").touch()
    with pytest.raises(FashionrecError, match="no warehouse of ours"):
        _check_tables(f"{tmp_path}/other")


def test_lock(tmp_path: Path) -> None:
    settings = load().lock
    assert check_lock(holders(tmp_path, settings).get(WHOLE)).status == "ok"
    with locked(tmp_path, "tonight", settings):
        finding = check_lock(holders(tmp_path, settings).get(WHOLE))
    assert finding.status == "warn"
    assert f"run tonight on {os.uname().nodename} (process {os.getpid()})" in finding.found


def test_catalogue(catalogue: Path, tmp_path: Path) -> None:
    size = size_of(catalogue)
    finding = check_catalogue(catalogue, size, is_sample=False)
    assert finding.status == "ok"
    files = [*catalogue.glob("images/*"), *catalogue.glob("styles/*")]
    assert size.bytes == sum(file.stat().st_size for file in files)
    assert size.pictures == len(list(catalogue.glob("images/*")))
    finding = check_catalogue(catalogue, Size(1, 1, unreadable=2), is_sample=False)
    assert finding.status == "fail"
    assert "2 files cannot be read" in finding.found
    assert (
        check_catalogue(tmp_path / "drawn", size_of(tmp_path / "drawn"), is_sample=True).status
        == "ok"
    )
    with pytest.raises(FashionrecError, match="there is no such folder"):
        check_catalogue(tmp_path / "drawn", Size(), is_sample=False)


def test_what_cannot_be_read_is_counted(catalogue: Path, tmp_path: Path) -> None:
    shutil.copytree(catalogue, tmp_path / "copy")
    (tmp_path / "copy" / "images" / "nowhere.jpg").symlink_to(tmp_path / "gone")
    assert size_of(catalogue).unreadable == 0
    assert size_of(tmp_path / "copy").unreadable == 1


def test_model(night: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASHIONREC_HOME", str(ROOT))
    assert check_model(TableReader(night.warehouse), "current").found.startswith("tiny-")
    nothing = TableReader(tmp_path / "none")
    assert check_model(nothing, "current").found.startswith("fashion-base-")
    shutil.copytree(ROOT / "models" / "fashion-base", tmp_path / "model")
    with (tmp_path / "model" / "weights.safetensors").open("ab") as file:
        file.write(b"x")
    with pytest.raises(FashionrecError, match="its SHA-256 is"):
        check_model(nothing, str(tmp_path / "model"))


def test_weights_that_torchvision_has_not_loaded_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    source, reader = "torchvision:resnet18/IMAGENET1K_V1", TableReader(tmp_path / "none")
    finding = check_model(reader, source)
    assert finding.status == "warn"
    file = Path(finding.todo.rpartition(": ")[2])
    assert file.name == "resnet18-f37072fd.pth"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"half a file")
    with pytest.raises(Exception, match=r"."):  # it is read, and not fetched
        check_model(reader, source)


def test_disk() -> None:
    two = [Place("warehouse", 1, 10 * GB, 4 * GB), Place("temporary files", 2, 3 * GB, GB)]
    assert check_disk(two).found == (
        "warehouse: 10.0 GB free of 4.0 needed; temporary files: 3.0 GB free of 1.0 needed"
    )
    assert check_disk(two).status == "ok"
    full = [two[0], Place("temporary files", 2, GB // 2, GB)]
    assert check_disk(full).status == "fail"
    assert check_disk(full).todo.endswith("for temporary files")
    one = [Place("warehouse", 1, 10 * GB, 6 * GB), Place("temporary files", 1, 10 * GB, 5 * GB)]
    assert check_disk(one).status == "fail"
    assert check_disk(one).found == "warehouse and temporary files: 10.0 GB free of 11.0 needed"


def test_how_much_disk_is_needed(tmp_path: Path) -> None:
    size = Size(bytes=10 * GB, pictures=1_000_000)
    assert need_of_warehouse(size, stored=0) == 30 * GB + 12_288_000_000 + GB
    assert need_of_warehouse(size, stored=25 * GB) == 10 * GB + 12_288_000_000 + GB
    assert need_of_work(Size()) == GB
    place = machine.place("warehouse", tmp_path / "a" / "b", 5.0)
    assert (place.disk, place.need) == (os.stat(tmp_path).st_dev, 5.0)
    assert place.free == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.1)


def test_memory() -> None:
    assert check_memory(24 * GB, 4 * GB, workers=2).status == "ok"
    assert check_memory(24 * GB, 4 * GB, workers=40).status == "fail"
    assert check_memory(3 * GB, 4 * GB, workers=0).status == "fail"
    assert 0 < memory_limit() < 1e14


@pytest.mark.parametrize(
    ("written", "last", "status"),
    [
        (0.5, timedelta(hours=-24), "ok"),
        (0.5, None, "ok"),
        (None, timedelta(hours=-24), "ok"),
        (5.0, timedelta(hours=-24), "warn"),
        (-90.0, timedelta(hours=-24), "fail"),
        (0.5, timedelta(hours=1), "fail"),
    ],
)
def test_clock(written: float | None, last: timedelta | None, status: str) -> None:
    now = NOON.timestamp()
    at = None if written is None else now + written
    assert check_clock(now, at, None if last is None else NOON + last).status == status


def test_the_clock_of_this_machine(night: Store, tmp_path: Path) -> None:
    began, last = probe(night.warehouse).now, last_run(night.warehouse)
    assert last is not None
    assert last.timestamp() < began
    assert _check_clock(night.warehouse).status == "ok"
    assert last_run(str(tmp_path / "none")) is None
    assert apart("executors", -3).found == "executors: 3.0 s apart"
