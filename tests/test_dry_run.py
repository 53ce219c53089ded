"""A dry run tells what the run then does, starts no JVM, and leaves no trace."""

import io
import json
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import ROOT, run
from fashionrec.store import Store
from fashionrec.tables import HELD, IMAGES, PRODUCTS, RECOMMENDATIONS
from test_lock import holding


@dataclass
class Result:
    returncode: int
    stdout: str
    stderr: str


def dry_run(job: str, warehouse: object, *options: object) -> Result:
    """Run a job's --dry-run in this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = run(job, "--dry-run", "--warehouse", warehouse, *options)
    return Result(status, out.getvalue(), err.getvalue())


def without_a_jvm(job: str, warehouse: object, *options: object) -> Result:
    """Run it in a plain Python that could not start a JVM."""
    words = [sys.executable, ROOT / "jobs" / f"{job}.py", "--dry-run", "--warehouse", warehouse]
    env = {
        "PATH": "/nonexistent",
        "SPARK_LOG_DIR": os.environ["SPARK_LOG_DIR"],
        "FASHIONREC_HOME": str(ROOT),
        "PYTHONPATH": str(ROOT / "lib"),
    }
    command = [*map(str, words), *map(str, options)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.fixture(autouse=True)
def _logs(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("SPARK_LOG_DIR", str(tmp_path_factory.mktemp("logs")))
    monkeypatch.setenv("FASHIONREC_HOME", str(ROOT))


def told(result: Result) -> dict[str, int]:
    assert result.returncode == 0, result.stderr
    record = json.loads(result.stdout)
    assert record["status"] == "dry run"
    return dict(record["counts"])


def traces(folder: Path) -> list[tuple[str, int, int]]:
    """Everything below a folder, with sizes and times."""
    stats = [(str(path), path.stat()) for path in sorted(folder.rglob("*"))]
    return [(path, status.st_size, status.st_mtime_ns) for path, status in stats]


@pytest.fixture
def changed(night: Store, catalogue: Path, tmp_path: Path) -> Path:
    """The catalogue with two products less, a picture touched, one more and one less."""
    folder = tmp_path / "changed"
    shutil.copytree(catalogue, folder)
    pictured = [row.product_id for row in night.read(IMAGES).orderBy("product_id").collect()]
    gone, touched, last = pictured[:2], pictured[2], pictured[3]
    lines = (folder / "styles.csv").read_bytes().split(b"\n")
    kept = [line for line in lines if line.partition(b",")[0] not in (b"%d" % i for i in gone)]
    (folder / "styles.csv").write_bytes(b"\n".join(kept))
    (folder / "images" / f"{last}.jpg").unlink()
    os.utime(folder / "images" / f"{touched}.jpg", (1, 1))
    shutil.copy(folder / "images" / f"{touched}.jpg", folder / "images" / "424242.jpg")
    return folder


def test_it_tells_what_the_night_then_does(
    night: Store, changed: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = traces(tmp_path)
    options = ("--catalogue", changed)
    forecast = told(dry_run("nightly", night.warehouse, *options, "--json"))
    assert traces(tmp_path) == before
    assert {name.removeprefix("ingest."): n for name, n in forecast.items()}.items() >= {
        "products": 78,
        "products_new": 0,
        "products_gone": 2,
        "files_new": 1,
        "files_changed": 2,
        "files_gone": 1,
        "files_read": 3,
        "embed.missing": 0,
        "embed.more_at_most": 2,
        "neighbours.to_do": 1,
        "neighbours.rebuilt": 0,
        "publish.to_do": 1,
    }.items()
    capfd.readouterr()
    assert run("nightly", "--warehouse", night.warehouse, *options, "--json") == 0
    did = json.loads(capfd.readouterr().out)["counts"]
    for name in ("lines", "products", "image_entries"):
        assert forecast[f"ingest.{name}"] == did[f"ingest.{name}"]
    assert night.read(PRODUCTS).count() == 78
    assert did["embed.written"] <= forecast["embed.more_at_most"]
    assert did["neighbours.rebuilt"] == 0
    idle = told(dry_run("nightly", night.warehouse, *options, "--json"))
    assert idle["ingest.files_read"] == idle["embed.more_at_most"] == 0
    assert idle["neighbours.to_do"] == idle["publish.to_do"] == 0


def test_links_that_may_be_read_are_counted_once(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "linked"
    folder.mkdir()
    columns = "id,gender,masterCategory,subCategory,articleType,baseColour,season,year,usage,"
    lines = [columns + "productDisplayName", *(f"{i},,,,,,,,,Name" for i in (1, 2, 3))]
    (folder / "styles.csv").write_text("\n".join(lines))
    shown = ["1.png,a.png", "2.png,a.png", "1.png,a.png", "9.png,a.png", "3.png,http://a.example"]
    (folder / "images.csv").write_text("\n".join(["filename,link", *shown]))

    def links(*options: object) -> int:
        result = dry_run("ingest", store.warehouse, "--catalogue", folder, "--json", *options)
        return told(result)["ingest.links_read_at_most"]

    assert links() == 2
    assert links("--set", "ingest.fetch_links=true") == 3
    assert run("ingest", "--warehouse", store.warehouse, "--catalogue", folder) == 0
    assert links() == 0
    (folder / "images.csv").write_text("\n".join(["filename,link", *shown, "3.png,b.png"]))
    assert links() == 1


def test_a_warehouse_that_is_not_there_yet(catalogue: Path, tmp_path: Path) -> None:
    result = without_a_jvm("nightly", tmp_path / "new", "--catalogue", catalogue)
    assert result.returncode == 0, result.stderr
    lines = [line.split(maxsplit=1) for line in result.stdout.splitlines()[2:]]
    assert [label for label, _ in lines] == [
        "warehouse", "catalogue", "lines", "image", "files", "ingest", "embed", "neighbours",
        "publish",
    ]  # fmt: skip
    assert dict(lines)["warehouse"] == f"{tmp_path}/new, to be made"
    assert "80 new, 0 gone" in dict(lines)["lines"]
    assert dict(lines)["neighbours"].startswith("makes all lists anew: there are none")
    assert list(tmp_path.iterdir()) == []


def test_the_sample_is_not_drawn(tmp_path: Path) -> None:
    options = ("--set", f"sample.folder={tmp_path}/sample", "--set", "sample.products=77")
    result = dry_run("nightly", tmp_path / "new", *options)
    assert "a sample of 77 products, drawn into" in result.stdout, result.stderr
    assert list(tmp_path.iterdir()) == []


def test_steps_alone(night: Store, tiny_model: Path) -> None:
    night.spark.sql(f"DELETE FROM delta.`{night.path(IMAGES)}` WHERE product_id % 2 = 0")
    night.spark.sql(f"UPDATE delta.`{night.path(IMAGES)}` SET sha256 = 'other' WHERE width > 0")
    left = night.read(IMAGES).count()
    forecast = told(dry_run("embed", night.warehouse, "--json"))
    assert (forecast["embed.missing"], forecast["embed.computed"]) == (left, 1)
    assert forecast["embed.removed"] == 70
    result = dry_run("neighbours", night.warehouse)
    assert result.returncode == 1
    assert "not every picture has been seen by" in result.stderr
    other = ("--set", "neighbours.k=4")
    result = dry_run("publish", night.warehouse, *other)
    assert "nothing to do" in result.stdout, result.stderr


def test_what_would_be_refused_or_fail_is(night: Store, catalogue: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    shutil.copytree(catalogue, small)
    lines = (small / "styles.csv").read_bytes().splitlines(keepends=True)
    (small / "styles.csv").write_bytes(b"".join(lines[:30]))
    result = dry_run("ingest", night.warehouse, "--catalogue", small)
    assert result.returncode == 3
    assert "the catalogue has lost" in result.stderr
    result = dry_run("ingest", night.warehouse, "--catalogue", small, "--allow-removal")
    assert result.returncode == 0
    (tmp_path / "not-ours" / "products").mkdir(parents=True)
    (tmp_path / "not-ours" / "products" / "a.txt").write_text("mine")
    result = dry_run("ingest", tmp_path / "not-ours", "--catalogue", small)
    assert result.returncode == 1
    assert "this is no warehouse of ours" in result.stderr


def test_why_lists_are_made_anew_and_who_holds_the_warehouse(night: Store, catalogue: Path) -> None:
    night.mark(RECOMMENDATIONS, {HELD: "first"})
    process = holding(Path(night.warehouse), 60)
    try:
        changed = ("--set", "neighbours.k=4")
        out = dry_run("nightly", night.warehouse, "--catalogue", catalogue, *changed).stdout
    finally:
        process.kill()
        process.wait()
    assert f"(process {process.pid}) holds it now" in out
    assert "makes all lists anew: k changed" in out
    assert "nothing: first was rolled back to, until publish --resume" in out
