"""Catalogues and warehouses in an object store: a real S3 server on loopback."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import boto3
import deltalake
import pyarrow as pa
import pytest

from conftest import ROOT
from fashionrec import lock, read
from fashionrec.changes import CHANGE
from fashionrec.config import load
from fashionrec.doctor.storage import check_rights
from fashionrec.errors import FashionrecError, HeldError, UsageError
from fashionrec.feed import changes_since
from fashionrec.ingest import listed
from fashionrec.ingest.catalogue import checks_of
from fashionrec.ingest.entries import read_content
from fashionrec.ingest.known import compare_files
from fashionrec.ingest.listing import list_catalogue
from fashionrec.lock import living, locked
from fashionrec.lookup import lookup
from fashionrec.neighbours.searchable import FOLDER, open_searchable, write_searchable
from fashionrec.paths import at, remove_folder
from fashionrec.read import TableReader
from fashionrec.settings import LockSettings
from fashionrec.store import Store
from fashionrec.tables import IMAGES, PRODUCTS, RECOMMENDATIONS, REJECTS, Table
from fashionrec.training.reading import Reading
from fashionrec.training.snapshot import snapshot
from object_store import BUCKET, SECRET, contents, serving_s3, upload, without_submit_args

HADOOP_AWS = "org.apache.hadoop:hadoop-aws:3.4.1"
AT_ONCE = LockSettings(wait_seconds=0, dead_after_seconds=600)


@pytest.fixture(scope="module", autouse=True)
def s3() -> Iterator[None]:
    """The server, in the environment of all that the tests of this file start."""
    with serving_s3() as env, pytest.MonkeyPatch.context() as patch:
        for name, value in env.items():
            patch.setenv(name, value)
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        yield


@pytest.fixture(scope="module")
def warehouse(_night: Path) -> str:
    """A night's tables, moved as they are."""
    return upload(_night, "warehouse")


@pytest.fixture(scope="module")
def uploaded(catalogue: Path) -> str:
    return upload(catalogue, "catalogue")


def run(job: str, *options: object) -> subprocess.CompletedProcess[str]:
    """Run a job as from a shell: workers have the environment that Spark was started in."""
    words = [str(ROOT / "spark-submit.sh"), job, "--no-install", *map(str, options)]
    env = without_submit_args()
    return subprocess.run(words, env=env, capture_output=True, text=True, timeout=600)


def rows(warehouse: object, table: Table) -> list[dict[str, object]]:
    names = [name for name in table.names if name != "run_id"]
    found = TableReader(str(warehouse)).scan(table, names).to_table().to_pylist()
    return sorted(found, key=lambda row: [str(row[key]) for key in table.key])


def test_a_catalogue_is_read_where_it_is(uploaded: str, night: Store, tmp_path: Path) -> None:
    own = tmp_path / "warehouse"
    done = run("ingest", "--catalogue", uploaded, "--warehouse", own)
    assert done.returncode == 0, done.stderr
    for table in (PRODUCTS, IMAGES, REJECTS):
        assert rows(own, table) == rows(night.warehouse, table)


def test_tar_shards_are_read_where_they_are(catalogue: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed"
    packed.mkdir()
    subprocess.run(["tar", "-cf", packed / "images.tar", "-C", catalogue, "images"], check=True)
    stored = at(upload(packed, "packed"))
    local, remote = list(list_catalogue(packed)), list(list_catalogue(stored))
    assert [replace(entry, mtime=0) for entry in remote] == [replace(e, mtime=0) for e in local]
    for entry in local:
        assert read_content(stored, entry, 1 << 20) == read_content(packed, entry, 1 << 20)


def test_a_listing_is_compared_with_the_tables_and_copied_beside_them(
    warehouse: str, catalogue: Path
) -> None:
    config = load()
    checks = checks_of(config.ingest, config.expectations)
    left = at(warehouse) / listed.FOLDER / "left.parquet"
    left.write_bytes(b"of a killed run")
    with listed.listed(catalogue, checks) as listing:
        assert compare_files(TableReader(warehouse), catalogue, listing, checks).none
        with listed.shared(listing, warehouse) as copy:
            assert at(copy).read_bytes() == listing.read_bytes()
            assert not left.exists()
    assert not (at(warehouse) / listed.FOLDER).exists()


def test_tables_are_looked_up_without_a_jvm(warehouse: str, night: Store) -> None:
    product = night.read(RECOMMENDATIONS).first().product_id
    assert lookup(warehouse, product) == lookup(night.warehouse, product)
    tables, local = read.warehouse(warehouse), read.warehouse(night.warehouse)
    assert tables.recommendations(product) == local.recommendations(product)
    question = "SELECT * FROM recommended_most ORDER BY ALL"
    assert tables.connect().sql(question).fetchall() == local.connect().sql(question).fetchall()
    assert tables.as_of("first").products() == local.products()
    _, lists = changes_since(warehouse, None)
    assert {row[CHANGE.strip("_")] for row in lists} == {"added"}


def test_pictures_are_searched_by_files_fetched_once(
    warehouse: str, night: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    remove_folder(at(warehouse) / FOLDER)
    assert open_searchable(warehouse) is None
    local = open_searchable(night.warehouse)
    assert local is not None
    for _ in range(2):  # written once, and looked for again
        write_searchable(TableReader(warehouse), local.model_version)
        found = open_searchable(warehouse)
        assert found is not None
        assert found.model_version == local.model_version
        assert found.ids.tolist() == local.ids.tolist()
    assert len(list((at(warehouse) / FOLDER).iterdir())) == 1
    assert len(list((tmp_path / "cache").glob("fashionrec/*/*"))) == 1


def test_the_processes_of_a_training_read_their_shares_where_they_are() -> None:
    table, columns = f"s3a://{BUCKET}/training_set", ("article_type", "split")
    for ids in (range(10), range(10, 20)):  # a file each, of one row group
        content = [b"%d" % i for i in ids]
        rows = {"product_id": ids, "content": content} | {name: ["train"] * 10 for name in columns}
        deltalake.write_deltalake(table, pa.table(rows), mode="append")
    part = snapshot(table, 1).parts["train"]
    readings = [Reading({"article_type": ["train"]}, rank, 2) for rank in (0, 1)]
    shares = [[e.product_id for e in reading.examples(part, seed=0)] for reading in readings]
    assert sorted(shares) == [list(range(10)), list(range(10, 20))]


def test_one_run_at_a_time(tmp_path: Path) -> None:
    shop = at(f"s3a://{BUCKET}/locked")
    with locked(shop, "first", AT_ONCE):
        assert living(shop, AT_ONCE) == {"first"}
        with pytest.raises(HeldError, match="run first"), locked(shop, "second", AT_ONCE):
            raise AssertionError("two runs at once")
    assert contents("locked") == {}


def test_of_two_that_saw_a_free_lock_the_first_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    shop, read_lock, seen = at(f"s3a://{BUCKET}/raced"), lock._read, [None]
    with locked(shop, "first", AT_ONCE):
        monkeypatch.setattr(lock, "_read", lambda path: seen.pop() if seen else read_lock(path))
        with pytest.raises(HeldError, match="run first"), locked(shop, "second", AT_ONCE):
            raise AssertionError("two runs at once")
        assert living(shop, AT_ONCE) == {"first"}


def test_of_runs_that_begin_at_once_one_goes_on() -> None:
    shop = f"s3a://{BUCKET}/contended"
    code = (
        "import sys, time\n"
        "from fashionrec.errors import HeldError\n"
        "from fashionrec.lock import locked\n"
        "from fashionrec.paths import at\n"
        "from fashionrec.settings import LockSettings\n"
        "try:\n"
        f"    with locked(at({shop!r}), sys.argv[1], LockSettings(wait_seconds=0,"
        " dead_after_seconds=600)):\n"
        "        print('held', flush=True)\n"
        "        time.sleep(6)\n"
        "except HeldError:\n"
        "    print('left')\n"
    )
    words = [sys.executable, "-c", code]
    started = [subprocess.Popen([*words, f"run-{i}"], stdout=-1, text=True) for i in range(3)]
    told = sorted(process.communicate(timeout=60)[0] for process in started)
    assert told == ["held\n", "left\n", "left\n"]


def test_a_dead_runs_lock_is_taken_over(tmp_path: Path) -> None:
    shop = at(f"s3a://{BUCKET}/left")
    dead = {"run_id": "dead", "host": os.uname().nodename, "pid": 1, "started": 1.0}
    (shop / "_lock").write_text(json.dumps(dead))
    with locked(shop, "mine", AT_ONCE):
        assert living(shop, AT_ONCE) == {"mine"}


def test_what_is_not_there_is_said_in_one_line() -> None:
    with pytest.raises(FashionrecError, match=r"s3a://nowhere/tables.*bucket does not exist"):
        read.warehouse("s3a://nowhere/tables")
    with pytest.raises(UsageError, match=r"^ftps3://shop/x: "):
        at("ftps3://shop/x")
    done = run("ingest", "--dry-run", "--catalogue", f"s3a://{BUCKET}/none")
    assert done.returncode == 1
    assert done.stderr.endswith("there is no such folder; --catalogue names the catalogue\n")


def test_the_doctor_tries_the_storage() -> None:
    found = check_rights(f"s3a://{BUCKET}/tried")
    assert (found.status, found.found) == ("ok", f"s3a://{BUCKET}/tried (s3a)")
    assert check_rights("s3a://nowhere/tried").status == "fail"
    assert contents("tried") == {}


@pytest.mark.slow
def test_a_night_over_an_object_store(
    uploaded: str, night: Store, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARK_LOG_DIR", str(tmp_path / "logs"))
    tables = f"s3a://{BUCKET}/nights"
    options = ("--catalogue", uploaded, "--warehouse", tables, "--set", f"model={tiny_model}")
    for run_id in ("first", "second"):
        done = run("nightly", *options, "--run-id", run_id, "--packages", HADOOP_AWS)
        assert done.returncode == 0, done.stderr
        assert rows(tables, RECOMMENDATIONS) == rows(night.warehouse, RECOMMENDATIONS)
    assert "nothing had changed" in done.stdout
    secret = SECRET.encode()
    logs = [path.read_bytes() for path in (tmp_path / "logs").iterdir()]
    assert not any(secret in text for text in [*logs, *contents("nights").values()])
