"""SQL in DuckDB over tables that no Spark made: signals, damage, the network."""

import io
import os
import pty
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from bare import command, make, read_until
from conftest import run
from fashionrec import duck, read
from fashionrec.errors import FashionrecError
from fashionrec.lookup import format_neighbours, lookup
from fashionrec.tables import PRODUCTS, RECOMMENDATIONS

ENDLESS = (
    "SELECT count(*) FROM range(10000000) AS a, range(10000000) AS b WHERE a.range + b.range < 0"
)


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two tables of a few rows; the log of what runs on them is apart."""
    monkeypatch.setenv("SPARK_LOG_DIR", str(tmp_path / "logs"))
    monkeypatch.setenv("TERM", "dumb")
    folder = tmp_path / "warehouse"
    make(folder, PRODUCTS, {"product_id": 1}, {"product_id": 2})
    lists = ("similar", 2, 1, 1), ("similar_styles", 1, 1, 2), ("similar", 1, 1, 2)
    names = "list", "product_id", "rank", "neighbour_id"
    shown = {"similarity": 0.5}
    rows = ({**dict(zip(names, row, strict=True)), **shown} for row in lists)
    make(folder, RECOMMENDATIONS, *rows)
    return folder


def wait_until_busy(process: int) -> None:
    """Wait until a process has computed for longer than its start takes."""
    clock = Path(f"/proc/{process}/stat")
    while sum(map(int, clock.read_text().rpartition(")")[2].split()[11:13])) < 300:
        time.sleep(0.1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_query(warehouse: Path, number: signal.Signals) -> None:
    process = subprocess.Popen(command(warehouse, ENDLESS), stderr=subprocess.PIPE, text=True)
    try:
        wait_until_busy(process.pid)
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert (process.returncode, err) == (130, "error: interrupted\n")


def test_ctrl_c_gives_a_query_of_the_shell_up(warehouse: Path, tmp_path: Path) -> None:
    process, controller = pty.fork()
    if process == 0:
        words = command(warehouse)
        os.execve(words[0], words, {**os.environ, "HOME": str(tmp_path)})
    assert b"A statement ends with a semicolon" in read_until(controller, b"fashionrec> ")
    os.write(controller, b"help\n")
    assert b"DESCRIBE NAME;" in read_until(controller, b"fashionrec> ")
    os.write(controller, f"{ENDLESS};\n".encode())
    wait_until_busy(process)
    os.write(controller, b"\x03")
    read_until(controller, b"fashionrec> ")
    os.write(controller, b"SELECT 40 + 2 AS x;\n")
    assert b"|42|" in read_until(controller, b"fashionrec> ")
    os.write(controller, b"\x04")
    assert os.waitpid(process, 0)[1] == 0


def test_a_result_that_was_not_read_to_its_end_keeps_no_other_back(
    warehouse: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("FROM range(1000000); SELECT 40 + 2 AS x"))
    assert run("sql", "--warehouse", warehouse) == 0
    out, err = capfd.readouterr()
    assert out.endswith("|42|\n+--+\n")
    assert "only the first 1,000 rows are shown: --format csv has them whole" in err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("",), "QUERY is empty"),
        ((" ; ",), "QUERY is empty"),
        (("SELECT 1; SELECT 2", "--output", "a.csv"), "--output takes the result of one statement"),
        (("SELECT 1", "--output", ""), "--output needs the name of a file"),
        (("SELECT 1", "--output", "a.txt"), "a file is csv, json or parquet"),
    ],
)
def test_wrong_use_is_told_before_anything_is_written(
    warehouse: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("sql", "--warehouse", warehouse, *options) == 2
    err = capfd.readouterr().err
    assert says in err
    assert len(err.splitlines()) == 1
    assert list(tmp_path.glob("*a.*")) == []


def test_a_file_is_of_the_format_that_its_name_tells(warehouse: Path, tmp_path: Path) -> None:
    for name in ("a.csv", "a.json", "a.parquet"):
        query = "SELECT sum(product_id) AS n FROM products"
        assert run("sql", "--warehouse", warehouse, query, "--output", tmp_path / name) == 0
    assert (tmp_path / "a.csv").read_text() == "n\n3\n"
    assert (tmp_path / "a.json").read_text() == '{"n": 3}\n'
    assert pq.read_table(tmp_path / "a.parquet").to_pylist() == [{"n": 3}]


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:500])


def _spoil_the_footer(file: Path) -> None:
    content = bytearray(file.read_bytes())
    begin = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    content[begin + 20 : begin + 60] = b"\xff" * 40
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (_cut, "is damaged: restore it from a copy"),
        (_spoil_the_footer, "is damaged: restore it from a copy"),
        (Path.unlink, "is missing: restore it from a copy"),
    ],
)
def test_a_damaged_file_fails_the_queries_of_its_own_table(
    warehouse: Path, harm: Callable[[Path], None], says: str
) -> None:
    (file,) = (warehouse / "recommendations").glob("*.parquet")
    harm(file)
    query = duck.engine(read.warehouse(warehouse))
    for name in ("recommendations", "recommended_most"):
        with pytest.raises(FashionrecError) as told:
            query(f"SELECT count(*) FROM {name}").read_all()
        assert str(told.value).startswith(f"{file}: {says}")
        assert str(told.value).isprintable()
    assert query("SELECT count(*) AS n FROM products").read_all()["n"].to_pylist() == [2]
    assert len(query("DESCRIBE recommendations").read_all()) == len(RECOMMENDATIONS.columns)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("none", "does not exist: run nightly first, or give another folder with --warehouse"),
        ("file", "is no folder: give another folder with --warehouse"),
        ("empty", "holds no tables yet: run nightly first, or give another folder"),
    ],
)
def test_a_warehouse_that_is_none_is_told_with_its_path(
    warehouse: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    name: str,
    says: str,
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    assert run("sql", "--warehouse", name, "SELECT 1") == 1
    assert capfd.readouterr().err.startswith(f"error: {tmp_path / name}: {says}")
    with pytest.raises(FashionrecError, match=f"{tmp_path / name}: {says}"):
        read.warehouse(name)


def test_no_query_reaches_for_the_network(warehouse: Path) -> None:
    query = duck.engine(read.warehouse(warehouse))
    url = "https://127.0.0.1:1/a.csv"
    with pytest.raises(FashionrecError, match=f"^{url}: no query fetches a URL: download it"):
        query(f"FROM '{url}'")
    with pytest.raises(FashionrecError, match="exists in the excel extension"):
        query("FROM read_xlsx('a.xlsx')")


def test_recommendations_of_several_products_are_in_order(warehouse: Path) -> None:
    tables = read.warehouse(warehouse)
    listed = [(1, "similar"), (1, "similar_styles"), (2, "similar")]
    for ids in ((2, 1), ([2, 1],), (2, (1,)), (np.array([1, 2]),)):
        found = tables.recommendations(*ids).to_pylist()
        assert [(row["product_id"], row["list"]) for row in found] == listed
    assert len(tables.recommendations()) == 3
    assert len(tables.recommendations([])) == 0
    for wrong in ("1", ["1"], 1.0, None):
        with pytest.raises(TypeError, match="the id of a product is a whole number, and"):
            tables.recommendations(wrong)


def test_lists_are_looked_up_under_the_names_that_sql_has(warehouse: Path) -> None:
    told = format_neighbours(lookup(warehouse, 1)).splitlines()
    assert [line for line in told if line.startswith("  s")] == ["  similar", "  similar_styles"]


def test_a_statement_without_a_result_prints_none(
    warehouse: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    script = "SET threads = 1; CREATE TEMP TABLE q AS SELECT 7 AS a; DROP TABLE q; -- the end"
    assert run("sql", "--warehouse", warehouse, "--format", "csv", script) == 0
    assert capfd.readouterr() == ("Count\n1\n", "")
