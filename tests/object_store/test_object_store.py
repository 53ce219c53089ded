"""Catalogues and warehouses in each kind of object store: servers of them on loopback."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import cast

import deltalake
import pyarrow as pa
import pytest
from upath import UPath

from conftest import ROOT
from fashionrec import lock, objects, read
from fashionrec.changes import CHANGE
from fashionrec.config import load
from fashionrec.datafiles import write_file
from fashionrec.doctor.storage import check_rights, scheme_of
from fashionrec.errors import FashionrecError, HeldError, UsageError
from fashionrec.feed import changes_since
from fashionrec.ingest import listed, shards
from fashionrec.ingest.catalogue import checks_of
from fashionrec.ingest.entries import Entry, read_content
from fashionrec.ingest.known import compare_files
from fashionrec.ingest.listing import find_styles, list_catalogue
from fashionrec.ingest.tars import list_tar
from fashionrec.lock import living, locked
from fashionrec.lookup import lookup
from fashionrec.neighbours.searchable import FOLDER, open_searchable, write_searchable
from fashionrec.objects import list_objects
from fashionrec.paths import (
    at,
    create_object,
    open_file,
    read_bytes,
    remove_folder,
    write_whole,
)
from fashionrec.read import TableReader
from fashionrec.settings import LockSettings
from fashionrec.store import Store
from fashionrec.tables import IMAGES, MODELS, PRODUCTS, RECOMMENDATIONS, REJECTS, Table
from fashionrec.training.reading import Reading
from fashionrec.training.snapshot import snapshot
from fashionrec.write import TableWriter
from object_store import SECRET, URIS, contents, serving, upload, without_submit_args

GCS = "com.google.cloud.hadoop.fs.gcs.GoogleHadoopFileSystem"
HADOOP_AWS = "org.apache.hadoop:hadoop-aws:3.4.1"
AT_ONCE = LockSettings(wait_seconds=0, dead_after_seconds=600)


@pytest.fixture(scope="module", params=URIS, autouse=True)
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A bucket; its server is in the environment of all that the tests of this file start."""
    folder = tmp_path_factory.mktemp(request.param)
    with serving(request.param, folder) as env, pytest.MonkeyPatch.context() as patch:
        for name, value in env.items():
            patch.setenv(name, value)
        yield URIS[request.param]


@pytest.fixture(scope="module")
def warehouse(shop: str, _night: Path) -> str:
    """A night's tables, moved as they are."""
    return upload(_night, f"{shop}/warehouse")


@pytest.fixture(scope="module")
def uploaded(shop: str, catalogue: Path) -> str:
    return upload(catalogue, f"{shop}/catalogue")


def run(job: str, *options: object) -> subprocess.CompletedProcess[str]:
    """Run a job as from a shell: workers have the environment that Spark was started in."""
    words = [str(ROOT / "spark-submit.sh"), job, "--no-install", *map(str, options)]
    env = without_submit_args()
    return subprocess.run(words, env=env, capture_output=True, text=True, timeout=600)


def hadoop_options(shop: str) -> list[str]:
    """What Spark needs of its own for tables in a bucket: Hadoop's client, and where to find it."""
    if scheme_of(shop) == "s3a":
        return ["--packages", HADOOP_AWS]
    if scheme_of(shop) == "abfss":
        pytest.skip("Hadoop's client needs Azure's DFS endpoint, which Azurite lacks")
    jar = os.environ.get("GCS_CONNECTOR")
    if jar is None:
        pytest.skip("GCS_CONNECTOR names no gcs-connector-3.1.3-shaded.jar")
    server = os.environ["STORAGE_EMULATOR_HOST"]
    names = {"impl": GCS, "auth.type": "UNAUTHENTICATED", "storage.root.url": f"{server}/"}
    given = [f"spark.hadoop.fs.gs.{name}={value}" for name, value in names.items()]
    return ["--jars", jar, *(word for each in given for word in ("--conf", each))]


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


def test_a_catalogue_that_lies_deeper_is_found_without_a_list_of_all(
    shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    above = at(f"{shop}/above")
    for name in ("b/styles.csv", "a/deep/styles.csv", "c/images/1.jpg", "1.jpg"):
        write_whole(above / name, b"id")
    monkeypatch.setattr(cast(UPath, above).fs, "glob", None)
    with pytest.raises(FashionrecError) as raised:
        find_styles(above)
    hint = f"there is one in {above}/b: give that folder"
    assert str(raised.value) == f"{above}: has no styles.csv; {hint}"


def test_tar_shards_are_read_where_they_are(shop: str, catalogue: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed"
    packed.mkdir()
    subprocess.run(["tar", "-cf", packed / "images.tar", "-C", catalogue, "images"], check=True)
    stored = at(upload(packed, f"{shop}/packed"))
    local, remote = list(list_catalogue(packed)), list(list_catalogue(stored))
    assert [replace(entry, mtime=0) for entry in remote] == [replace(e, mtime=0) for e in local]
    for entry in local:
        assert read_content(stored, entry, 1 << 20) == read_content(packed, entry, 1 << 20)


def test_shards_are_read_through_only_where_they_changed(
    shop: str, catalogue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, kept = tmp_path / "catalogue", at(f"{shop}/kept")
    folder.mkdir()
    for number, name in enumerate(("images.tar", "images2.tar")):
        words = ["tar", "-cf", folder / name, "--owner", str(number), "-C", catalogue, "images"]
        subprocess.run(words, check=True)
    stored = at(upload(folder, f"{shop}/shards"))
    whole = list(list_catalogue(stored))
    read: list[str] = []

    def reading(catalogue: Path, shard: Entry) -> Iterator[Entry]:
        read.append(shard.path)
        return list_tar(catalogue, shard)

    monkeypatch.setattr(shards, "list_tar", reading)

    def listed_by(lister: shards.Shards) -> list[Entry]:
        entries = list(list_catalogue(stored, lister.entries))
        lister.forget_others()
        return entries

    assert listed_by(shards.Shards(kept)) == whole
    assert listed_by(shards.Shards(kept)) == whole
    assert read == ["images.tar", "images2.tar"]
    assert listed_by(shards.Shards(kept, anew=True)) == whole
    assert read[2:] == ["images.tar", "images2.tar"]
    (stored / "images2.tar").write_bytes(bytes(10_240))  # a tar that is empty
    few = [entry for entry in whole if entry.archive == "images.tar"]
    assert listed_by(shards.Shards(kept)) == few
    assert read[4:] == ["images2.tar"]
    (stored / "images2.tar").unlink()
    assert listed_by(shards.Shards(kept)) == few
    assert len(list(kept.iterdir())) == 1
    none = at(f"{shop}/none")
    assert listed_by(shards.Shards(none, keep=False)) == few
    assert read[5:] == ["images.tar"]
    assert not none.exists()


def test_ingest_keeps_what_shards_hold(
    shop: str, catalogue: Path, night: Store, tmp_path: Path
) -> None:
    folder, own = tmp_path / "catalogue", tmp_path / "warehouse"
    folder.mkdir()
    shutil.copy(catalogue / "styles.csv", folder)
    subprocess.run(["tar", "-cf", folder / "images.tar", "-C", catalogue, "images"], check=True)
    options = ("--catalogue", upload(folder, f"{shop}/packed-shop"), "--warehouse", own)
    done = run("ingest", *options)
    assert done.returncode == 0, done.stderr
    assert TableReader(own).count(IMAGES) == night.count(IMAGES)
    (kept,) = (own / shards.FOLDER).iterdir()
    written = kept.stat()
    done = run("ingest", *options)
    assert "no file of the catalogue has changed" in done.stderr
    assert kept.stat().st_mtime_ns == written.st_mtime_ns
    done = run("ingest", *options, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert kept.stat().st_mtime_ns == written.st_mtime_ns


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


def test_the_processes_of_a_training_read_their_shares_where_they_are(shop: str) -> None:
    table, columns = f"{shop}/training_set", ("article_type", "split")
    for ids in (range(10), range(10, 20)):  # a file each, of one row group
        content = [b"%d" % i for i in ids]
        rows = {"product_id": ids, "content": content} | {name: ["train"] * 10 for name in columns}
        deltalake.write_deltalake(table, pa.table(rows), mode="append")
    part = snapshot(table, 1).parts["train"]
    readings = [Reading({"article_type": ["train"]}, rank, 2) for rank in (0, 1)]
    shares = [[e.product_id for e in reading.examples(part, seed=0)] for reading in readings]
    assert sorted(shares) == [list(range(10)), list(range(10, 20))]


def test_objects_are_written_listed_read_and_removed(shop: str) -> None:
    folder = at(f"{shop}/objects")
    for name in ("b/c.txt", "a.txt"):
        write_whole(folder / name, name.encode())
    assert [(name, size) for name, size, _ in list_objects(folder)] == [
        ("a.txt", 5),
        ("b/c.txt", 7),
    ]
    assert all(abs(time.time() - written.timestamp()) < 60 for *_, written in list_objects(folder))
    assert [read_bytes(str(folder), "a.txt", *part) for part in ((1, 3), (3, 9))] == [b".tx", b"xt"]
    with open_file(folder / "b" / "c.txt") as file:
        assert (file.read(2), file.seek(5), file.read()) == (b"b/", 5, b"xt")
    assert sorted(map(str, folder.iterdir())) == [f"{shop}/objects/a.txt", f"{shop}/objects/b"]
    remove_folder(folder)
    assert contents(f"{shop}/objects") == {}


def test_objects_are_listed_a_page_at_a_time(shop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "_PAGE", 2)
    folder, names = at(f"{shop}/paged"), ["a", "b c", "d/e", "ä", "日"]
    for name in names:
        write_whole(folder / name, b"1")
    assert [name for name, *_ in list_objects(folder)] == names
    pages = list_objects(folder)
    first = next(pages)[0]
    remove_folder(folder / "日")  # of a page that was not asked for
    assert [first, *(name for name, *_ in pages)] == names[:-1]


def test_of_writers_at_once_one_creates_an_object(shop: str) -> None:
    path, gate = at(f"{shop}/created/by"), threading.Barrier(8)

    def create(name: str) -> str | None:
        gate.wait()
        try:
            create_object(path, name.encode())
        except FileExistsError:
            return None
        return name

    with ThreadPoolExecutor(8) as pool:
        created = [name for name in pool.map(create, "abcdefgh") if name]
    assert created == [path.read_text()]


def test_of_commits_at_once_none_is_lost(shop: str) -> None:
    uri, gate = f"{shop}/committed", threading.Barrier(4)
    deltalake.write_deltalake(uri, pa.table({"number": [0]}))
    tables = [deltalake.DeltaTable(uri) for _ in range(4)]  # each would write version 1

    def append(number: int) -> None:
        gate.wait()
        deltalake.write_deltalake(tables[number - 1], pa.table({"number": [number]}), mode="append")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(append, range(1, 5)))
    table = deltalake.DeltaTable(uri)
    assert table.version() == 4
    assert sorted(table.to_pyarrow_table()["number"].to_pylist()) == [0, 1, 2, 3, 4]


@pytest.mark.usefixtures("spark")  # it reads the types of columns
def test_records_are_written_without_a_job(shop: str) -> None:
    writer = TableWriter(at(f"{shop}/records"))
    for _ in range(2):
        writer.create_missing([REJECTS, MODELS])
    model = {"model_version": "tiny-1", "path": "models/tiny", "promoted_at": None}
    for current in (True, False):
        writer.put(MODELS, model | {"current": current, "metrics": {"recall": 0.5}})
    columns = ["model_version", "current"]
    assert writer.scan(MODELS, columns).to_table().to_pylist() == [
        {"model_version": "tiny-1", "current": False}
    ]
    record = {"source": "images", "position": "images/1.jpg", "reason": "empty"}
    rejects = pa.Table.from_pylist([record], writer.arrow_schema(REJECTS))
    writer.add_files(REJECTS, [write_file(rejects, writer.path(REJECTS), REJECTS.key)], {"n": 1})
    writer.mark(REJECTS, {"n": 2})
    assert (writer.version(REJECTS), writer.state(REJECTS)) == (3, {"n": 2})
    assert writer.scan(REJECTS, ["source", "reason"]).to_table().to_pylist() == [
        {"source": "images", "reason": "empty"}
    ]
    question = "SELECT position FROM rejects"
    assert read.warehouse(writer.warehouse).connect().sql(question).fetchall() == [
        ("images/1.jpg",)
    ]


def test_one_run_at_a_time(shop: str) -> None:
    tables = at(f"{shop}/locked")
    with locked(tables, "first", AT_ONCE):
        assert living(tables, AT_ONCE) == {"first"}
        with pytest.raises(HeldError, match="run first"), locked(tables, "second", AT_ONCE):
            raise AssertionError("two runs at once")
    assert contents(f"{shop}/locked") == {}


def test_of_two_that_saw_a_free_lock_the_first_has_it(
    shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables, read_lock, seen = at(f"{shop}/raced"), lock._read, [None]
    with locked(tables, "first", AT_ONCE):
        monkeypatch.setattr(lock, "_read", lambda path: seen.pop() if seen else read_lock(path))
        with pytest.raises(HeldError, match="run first"), locked(tables, "second", AT_ONCE):
            raise AssertionError("two runs at once")
        assert living(tables, AT_ONCE) == {"first"}


def test_of_runs_that_begin_at_once_one_goes_on(shop: str) -> None:
    tables = f"{shop}/contended"
    code = (
        "import sys, time\n"
        "from fashionrec.errors import HeldError\n"
        "from fashionrec.lock import locked\n"
        "from fashionrec.paths import at\n"
        "from fashionrec.settings import LockSettings\n"
        "try:\n"
        f"    with locked(at({tables!r}), sys.argv[1], LockSettings(wait_seconds=0,"
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


def test_a_dead_runs_lock_is_taken_over(shop: str) -> None:
    tables = at(f"{shop}/left")
    dead = {"run_id": "dead", "host": os.uname().nodename, "pid": 1, "started": 1.0}
    (tables / "_lock").write_text(json.dumps(dead))
    with locked(tables, "mine", AT_ONCE):
        assert living(tables, AT_ONCE) == {"mine"}


def test_what_is_not_there_is_said_in_one_line(shop: str) -> None:
    nowhere = shop.replace("://shop", "://nowhere")
    with pytest.raises(FashionrecError) as told:
        read.warehouse(f"{nowhere}/tables")
    assert str(told.value).startswith(f"{nowhere}/tables/products: cannot be reached: Generic ")
    assert re.search(r"(does not exist|no bucket named nowhere)\.?$", str(told.value))
    with pytest.raises(UsageError, match=r"^ftps3://shop/x: "):
        at("ftps3://shop/x")
    done = run("ingest", "--dry-run", "--catalogue", f"{shop}/none")
    assert done.returncode == 1
    assert done.stderr.endswith("there is no such folder; --catalogue names the catalogue\n")


def test_the_doctor_tries_the_storage(shop: str) -> None:
    found = check_rights(f"{shop}/tried")
    assert (found.status, found.found) == ("ok", f"{shop}/tried ({scheme_of(shop)})")
    assert check_rights(f"{shop.replace('://shop', '://nowhere')}/tried").status == "fail"
    assert contents(f"{shop}/tried") == {}


@pytest.mark.slow
def test_a_night_over_an_object_store(
    shop: str,
    uploaded: str,
    night: Store,
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SPARK_LOG_DIR", str(tmp_path / "logs"))
    tables = f"{shop}/nights"
    options = ("--catalogue", uploaded, "--warehouse", tables, "--set", f"model={tiny_model}")
    for run_id in ("first", "second"):
        done = run("nightly", *options, "--run-id", run_id, *hadoop_options(shop))
        assert done.returncode == 0, done.stderr
        assert rows(tables, RECOMMENDATIONS) == rows(night.warehouse, RECOMMENDATIONS)
    assert "nothing had changed" in done.stdout
    secret = SECRET.encode()
    logs = [path.read_bytes() for path in (tmp_path / "logs").iterdir()]
    assert not any(secret in text for text in [*logs, *contents(tables).values()])
