"""SQL in DuckDB over tables that no Spark made: signals, damage, the network."""

import os
import pty
import signal
import subprocess
import time
from pathlib import Path

import pytest

from bare import command, make, read_until
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
    lists = ("similar", 1, 1, 2), ("similar_styles", 1, 1, 2), ("similar", 2, 1, 1)
    names = "list", "product_id", "rank", "neighbour_id"
    make(folder, RECOMMENDATIONS, *(dict(zip(names, row, strict=True)) for row in lists))
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
    read_until(controller, b"> ")
    os.write(controller, f"{ENDLESS};\n".encode())
    wait_until_busy(process)
    os.write(controller, b"\x03")
    read_until(controller, b"fashionrec> ")
    os.write(controller, b"SELECT 40 + 2 AS x;\n")
    assert b"|42|" in read_until(controller, b"fashionrec> ")
    os.write(controller, b"\x04")
    assert os.waitpid(process, 0)[1] == 0
