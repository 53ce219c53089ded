"""Listing and comparing take the same memory however many files there are, and count exactly."""

import os
import tarfile
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from fashionrec.datafiles import write_file
from fashionrec.ingest import listed
from fashionrec.ingest.entries import CANNOT_READ, DETAILS, IMAGE, LINK, LINKS, STYLES, Entry
from fashionrec.ingest.frames import as_entry, entries_of
from fashionrec.ingest.known import FileChanges, compare_files
from fashionrec.paths import at
from fashionrec.read import TableReader
from fashionrec.store import Store
from fashionrec.tables import FILES

CHECKS = dict.fromkeys((STYLES, IMAGE, DETAILS, LINKS, LINK), "limits")


def know(store: Store, rows: list[dict[str, object]]) -> None:
    """Let the table `files` know of entries."""
    schema = store.arrow_schema(FILES)
    empty = dict.fromkeys(schema.names)
    whole = pa.Table.from_pylist([empty | row for row in rows], schema)
    store.add_files(FILES, [write_file(whole, store.path(FILES), FILES.key)])


def row_of(path: str, size: int, mtime: int, **more: object) -> dict[str, object]:
    return {"path": path, "kind": IMAGE, "size": size, "mtime": mtime, "checks": "limits"} | more


def test_what_is_new_changed_gone_and_read(store: Store, tmp_path: Path) -> None:
    entries = [
        Entry("styles.csv", STYLES, None, 100, 1),
        Entry("images/as-known.jpg", IMAGE, 1, 10, 1),
        Entry("images/larger.jpg", IMAGE, 2, 20, 1),
        Entry("images/later.jpg", IMAGE, 3, 30, 2),
        Entry("images/under-other-limits.jpg", IMAGE, 4, 40, 1),
        Entry("images/tried-again.jpg", IMAGE, 5, 50, 1),
        Entry("images/bad-as-known.jpg", IMAGE, 6, 60, 1),
        Entry("images/new.jpg", IMAGE, 7, 70, 1),
        Entry("styles/new.json", DETAILS, 7, 80, 1),
        Entry("images/before-1970.jpg", IMAGE, 8, 90, -1_000_001),
    ]
    (tmp_path / "photo.jpg").write_bytes(b"12345")
    os.utime(tmp_path / "photo.jpg", ns=(0, 3_000))
    know(
        store,
        [
            row_of("styles.csv", 100, 1, kind=STYLES),
            row_of("images/as-known.jpg", 10, 1),
            row_of("images/larger.jpg", 19, 1),
            row_of("images/later.jpg", 30, 1),
            row_of("images/under-other-limits.jpg", 40, 1, checks="others"),
            row_of("images/tried-again.jpg", 50, 1, problem=f"{CANNOT_READ}Permission denied"),
            row_of("images/bad-as-known.jpg", 60, 1, problem="no picture"),
            row_of("images/before-1970.jpg", 90, -1_000_001),
            row_of("images/gone.jpg", 1, 1),
            row_of("images.csv!9!photo.jpg", 5, 3, kind=LINK),  # as it is
            row_of("images.csv!9!http://a.example/9.jpg", 0, 0, kind=LINK),
            row_of("images.csv!9!lost.jpg", 5, 3, kind=LINK),
        ],
    )
    rows = listed.entry_rows(entries, CHECKS)
    listing = listed.write_rows(tmp_path / "entries.parquet", rows, listed.ENTRIES)
    found = compare_files(store, tmp_path, listing, CHECKS)
    read = {"read": 7, "bytes": 20 + 30 + 40 + 50 + 70 + 80, "pictures": 5}
    assert found == FileChanges(new=2, changed=5, gone=1, image_entries=8, **read)
    found = compare_files(store, tmp_path, listing, CHECKS, verify=True)
    read = {"read": 10, "bytes": 550, "pictures": 8}
    assert found == FileChanges(new=2, changed=5, gone=1, image_entries=8, **read)


def test_without_a_table_every_entry_is_new(tmp_path: Path) -> None:
    rows = listed.entry_rows([Entry("images/1.jpg", IMAGE, 1, 10, 1)], CHECKS)
    listing = listed.write_rows(tmp_path / "entries.parquet", rows, listed.ENTRIES)
    found = compare_files(TableReader(tmp_path / "none"), tmp_path, listing, CHECKS)
    assert found == FileChanges(1, 0, 0, image_entries=1, read=1, bytes=10, pictures=1)
    assert not (tmp_path / "none").exists()


@contextmanager
def peak() -> Iterator[list[int]]:
    """Give a list that then holds the most bytes that Python's objects took."""
    most: list[int] = []
    tracemalloc.start()
    try:
        yield most
        most.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()


def assert_bounded(measure: Callable[[int], int], small: int, large: int) -> None:
    measure(100)  # what is imported and cached is there once
    few, many = measure(small), measure(large)
    assert many < 1.1 * few + 100_000, (few, many)
    assert many < 12e6


def test_memory_does_not_grow_with_the_catalogue(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    total = 200_000
    know(store, [row_of(f"images/{i:07}.jpg", i, 1) for i in range(total)])
    monkeypatch.setattr(listed, "csv_entries", lambda _: iter(()))

    def measure(count: int) -> int:
        entries = (Entry(f"images/{i:07}.jpg", IMAGE, i, i, 1) for i in range(count))
        monkeypatch.setattr(listed, "list_catalogue", lambda *_: entries)
        with peak() as most, listed.listed(tmp_path, CHECKS) as listing:
            found = compare_files(store, tmp_path, listing, CHECKS)
        assert found == FileChanges(0, 0, total - count, count, 0, 0, 0)
        return most[0]

    assert_bounded(measure, 50_000, total)


def test_names_of_a_shard_do_not_fill_the_memory(tmp_path: Path) -> None:
    def measure(count: int) -> int:
        with tarfile.open(tmp_path / "images.tar", "w") as tar:
            for i in range(count):
                tar.addfile(tarfile.TarInfo(f"{'long' * 20}/{i:07}.jpg"))
                tar.members.clear()  # type: ignore[attr-defined]
        with peak() as most:
            assert sum(1 for _ in listed.list_catalogue(tmp_path)) == count
        return most[0]

    assert_bounded(measure, 2_000, 20_000)


@pytest.mark.parametrize("name", ["{}.jpg", "{}/photo.jpg"])
def test_a_folder_does_not_fill_the_memory(tmp_path: Path, name: str) -> None:
    def measure(count: int) -> int:
        for i in range(count):
            file = tmp_path / "images" / name.format(i)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        with peak() as most:
            assert sum(1 for _ in listed.list_catalogue(tmp_path)) == count
        return most[0]

    assert_bounded(measure, 500, 5_000)


@pytest.mark.parametrize("fails", [False, True])
def test_the_shared_copy_goes_and_so_does_what_was_left(tmp_path: Path, fails: bool) -> None:
    listing = tmp_path / "entries.parquet"
    listing.write_bytes(b"rows")
    warehouse = tmp_path / "warehouse"
    (warehouse / listed.FOLDER).mkdir(parents=True)
    (warehouse / listed.FOLDER / "left.parquet").write_bytes(b"of a killed run")
    with (
        pytest.raises(KeyError) if fails else nullcontext(),
        listed.shared(listing, str(warehouse)) as copy,
    ):
        assert [str(path) for path in (warehouse / listed.FOLDER).iterdir()] == [copy]
        assert at(copy).read_bytes() == b"rows"
        if fails:
            raise KeyError
    assert list(warehouse.iterdir()) == []


def test_spark_reads_the_copy_whatever_the_warehouse_is_called(
    spark: SparkSession, tmp_path: Path
) -> None:
    entries = [
        Entry("images/1.jpg", IMAGE, 1, 10, 1, problem="bad"),
        Entry("images.tar!2.jpg", IMAGE, 2, 20, 2, archive="images.tar", offset=512),
        Entry("styles.csv", STYLES, None, 3, 3),
    ]
    rows = listed.entry_rows(entries, CHECKS)
    listing = listed.write_rows(tmp_path / "entries.parquet", rows, listed.ENTRIES)
    with listed.shared(listing, str(tmp_path / "a [1] {b,c} *? \\d")) as copy:
        found = entries_of(spark, copy).collect()
    assert [as_entry(row.asDict()) for row in found] == entries
    assert {row.checks for row in found} == {"limits"}
