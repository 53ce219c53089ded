"""Pictures are read from the table's own files: those that are wanted, each file once."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fashionrec.embed import reading
from fashionrec.embed.reading import contents_of_files


@pytest.fixture
def folder(tmp_path: Path) -> str:
    for name, ids in (("a.parquet", range(100)), ("b.parquet", range(100, 200))):
        contents = [f"picture {i}".encode() for i in ids]
        rows = {"product_id": list(ids), "sha256": ["?"] * 100, "content": contents}
        pq.write_table(pa.table(rows), tmp_path / name)
    return str(tmp_path)


def wanted(*rows: tuple[int, str]) -> pa.RecordBatch:
    named = [{"product_id": i, "image_sha256": f"sha {i}", "file": file} for i, file in rows]
    return pa.RecordBatch.from_pylist(named)


def test_only_what_is_wanted_is_read_in_the_order_of_files(folder: str) -> None:
    batches = [wanted((70, "a.parquet"), (3, "a.parquet")), wanted((150, "b.parquet"))]
    assert list(contents_of_files(batches, folder)) == [
        ((3, "sha 3"), b"picture 3"),
        ((70, "sha 70"), b"picture 70"),
        ((150, "sha 150"), b"picture 150"),
    ]


def test_a_file_whose_rows_come_in_portions_is_read_once(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    rows_of = reading._rows_of
    monkeypatch.setattr(reading, "_rows_of", lambda path: read.append(path) or rows_of(path))
    batches = [wanted((i, "a.parquet")) for i in range(10)]
    assert len(list(contents_of_files(batches, folder))) == 10
    assert read == [f"{folder}/a.parquet"]


def test_nothing_wanted_reads_nothing() -> None:
    assert list(contents_of_files([], "/nowhere")) == []
