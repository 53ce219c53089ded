"""What becomes of each kind of value in a table, in CSV, in JSON and in Parquet."""

import io
import json
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fashionrec.errors import FashionrecError, UsageError
from fashionrec.results import format_of, save, write
from fashionrec.values import rows


def asked(query: str) -> pa.RecordBatchReader:
    return duckdb.connect().sql(query).to_arrow_reader()


def written(query: str, form: str) -> str:
    out = io.StringIO()
    write(asked(query), form, out, query)
    return out.getvalue()


# A value in SQL, in JSON, and in CSV.
VALUES = [
    ("sum(3)", 3, "3"),
    ("1.50::DECIMAL(4, 2)", 1.5, "1.50"),
    ("0.91891414::FLOAT", 0.91891414, "0.91891414"),
    ("'nan'::DOUBLE", None, "nan"),
    ("['-inf'::FLOAT, 0.1]", [None, 0.1], '"[null, 0.1]"'),
    ("[0.91891414::FLOAT, NULL]", [0.91891414, None], '"[0.91891414, null]"'),
    ("[[0.1::FLOAT], NULL, []]", [[0.1], None, []], '"[[0.1], null, []]"'),
    ("MAP {'é': 0.1::FLOAT}", {"é": 0.1}, '"{""é"": 0.1}"'),
    ("MAP {2: MAP {true: 1}}", {"2": {"true": 1}}, '"{""2"": {""true"": 1}}"'),
    ("{'a': [true], 'b': NULL}", {"a": [True], "b": None}, '"{""a"": [true], ""b"": null}"'),
    ("[0.5::FLOAT]::FLOAT[1]", [0.5], "[0.5]"),
    ("1 = 1", True, "true"),
    ("'ab'::BLOB", "6162", "6162"),
    ("DATE '2026-11-24'", "2026-11-24", "2026-11-24"),
    ("NULL", None, '""'),
    (
        "INTERVAL '1 month -2 days 3.5 seconds'",
        "1 months -2 days 3.5 seconds",
        "1 months -2 days 3.5 seconds",
    ),
]


@pytest.mark.parametrize(("value", "in_json", "in_csv"), VALUES)
def test_a_value_is_what_json_and_csv_have_for_it(value: str, in_json: object, in_csv: str) -> None:
    query = f"SELECT {value} AS a UNION ALL SELECT NULL"
    first, second = written(query, "json").splitlines()
    assert json.loads(first) == {"a": in_json}
    assert json.loads(second) == {"a": None}
    assert written(query, "csv") == f'a\n{in_csv}\n""\n'


def test_slices_have_their_own_rows() -> None:
    made = {
        "list": pa.array([[1], None, [2, 3]]),
        "map": pa.array([[("a", 1)], None, [("b", 2)]], pa.map_(pa.string(), pa.int64())),
        "struct": pa.array([{"x": 1}, None, {"x": 3}]),
    }
    batch = pa.RecordBatch.from_pydict(made)
    expected = [[[1], {"a": 1}, {"x": 1}], [None, None, None], [[2, 3], {"b": 2}, {"x": 3}]]
    for first in range(3):
        reader = pa.RecordBatchReader.from_batches(batch.schema, [batch[first:]])
        assert list(rows(reader)) == expected[first:]


def test_a_column_is_not_lost_to_another_of_its_name(tmp_path: Path) -> None:
    twice = "SELECT 1 AS a, 2 AS b, 3 AS a"
    with pytest.raises(FashionrecError, match="columns share the name a: name them apart by AS"):
        written(twice, "json")
    with pytest.raises(FashionrecError, match="columns share the name a"):
        save(asked(twice), "parquet", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
    assert written(twice, "csv") == "a,b,a\n1,2,3\n"


def test_sums_are_whole_numbers_in_parquet(tmp_path: Path) -> None:
    save(asked("SELECT sum(3) AS n, 0.5 AS x"), "parquet", tmp_path / "out")
    found = pq.read_table(tmp_path / "out")
    assert found.schema.field("n").type == pa.int64()
    assert found["n"].to_pylist() == [3]


@pytest.mark.parametrize("value", ["INTERVAL '1 day'", "1e30::HUGEINT"])
def test_what_parquet_has_not_is_one_line(tmp_path: Path, value: str) -> None:
    with pytest.raises(FashionrecError, match=r"out: cannot be written: .+: CAST") as told:
        save(asked(f"SELECT {value} AS a"), "parquet", tmp_path / "out")
    assert str(told.value).isprintable()
    assert list(tmp_path.iterdir()) == []


LONG = "x" * 70


def test_a_table_says_what_it_leaves_out(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING")
    assert "xxx...|" in written(f"SELECT '{LONG}' AS a", "table")
    assert len(written("SELECT range FROM range(1001)", "table").splitlines()) == 1004
    assert [record.getMessage() for record in caplog.records] == [
        "cells are cut at 60 characters: --format csv has them whole",
        "only the first 1,000 rows are shown: --format csv has them whole",
    ]
    caplog.clear()
    caplog.set_level("INFO")
    written("SELECT range, true FROM range(1000)", "table")
    assert caplog.records == []
    written("SELECT 1 AS a WHERE false", "table")
    assert [record.getMessage() for record in caplog.records] == ["no rows"]


def test_what_explains_is_not_cut(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING")
    plan = written(f"EXPLAIN SELECT '{LONG}' AS a FROM range(3)", "table").splitlines()
    assert {len(line) for line in plan} == {len(plan[0])}
    assert any("RANGE" in line for line in plan)
    assert len(plan) > 8
    assert LONG in written(f"DESCRIBE SELECT 1 AS {LONG}", "table")
    assert caplog.records == []


@pytest.mark.parametrize(
    ("given", "file", "form"),
    [
        (None, None, "table"),
        ("json", None, "json"),
        (None, "a.csv", "csv"),
        (None, "a.b.PARQUET", "parquet"),
        ("json", "a.csv", "json"),
    ],
)
def test_the_format_is_the_one_given_or_that_of_the_name(
    given: str | None, file: str | None, form: str
) -> None:
    assert format_of(given, file and Path(file)) == form


@pytest.mark.parametrize(
    ("given", "file", "says"),
    [
        ("parquet", None, "needs a file"),
        (None, "", "needs the name of a file"),
        (None, "out", "out: a file is csv, json or parquet"),
        ("table", "a.csv", "a.csv: a file is csv, json or parquet"),
    ],
)
def test_a_file_without_a_format_is_wrong_use(given: str, file: str | None, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        format_of(given, None if file is None else Path(file))
