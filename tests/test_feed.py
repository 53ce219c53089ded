"""What has changed since a run, and a real Redis that follows it."""

import json
import runpy
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import redis

from bare import make
from conftest import ROOT, RunJob
from fashionrec.errors import FashionrecError
from fashionrec.feed import changes_since
from fashionrec.runs import recorded
from fashionrec.tables import RECOMMENDATIONS, RUNS
from fashionrec.write import TableWriter
from test_snapshot import neighbours, nights, write

__all__ = ["nights"]  # a fixture

SYNC = runpy.run_path(str(ROOT / "examples" / "redis_sync.py"))


def told(warehouse: str, since: str | None) -> tuple[str, list[tuple[str, int, list[int]]]]:
    run_id, changes = changes_since(Path(warehouse), since)
    return run_id, [
        (change["change"], change["product_id"], [row["neighbour_id"] for row in change["rows"]])
        for change in changes
    ]


def test_lists_that_came_changed_and_went(nights: TableWriter) -> None:
    assert told(nights.warehouse, "first") == (
        "second",
        [("changed", 1, [3]), ("added", 2, [3])],
    )
    assert told(nights.warehouse, "quiet") == told(nights.warehouse, "first")
    assert told(nights.warehouse, "second") == ("second", [])
    everything = [("added", 1, [3]), ("added", 2, [3])]
    assert told(nights.warehouse, None) == ("second", everything)
    with recorded(nights, "nightly", "third"):
        write(nights, RECOMMENDATIONS, *neighbours(1, 2, 3))
    assert told(nights.warehouse, "second") == (
        "third",
        [("changed", 1, [2, 3]), ("removed", 2, [])],
    )
    assert told(nights.warehouse, "first") == ("third", [])  # there and back again


def test_a_similarity_has_no_more_digits_than_are_stored(tmp_path: Path) -> None:
    neighbour = {"list": "similar", "product_id": 1, "rank": 1, "similarity": 0.91891414}
    make(tmp_path, RECOMMENDATIONS, neighbour)
    versions = {"versions_read": [], "versions_written": [("recommendations", 0)]}
    ended = {"status": "succeeded", "finished_at": datetime(2026, 11, 24), **versions}
    make(tmp_path, RUNS, {"run_id": "first", **ended})
    _, (change,) = changes_since(tmp_path, None)
    assert change["rows"][0]["similarity"] == 0.91891414


def test_who_last_changed_a_row_is_no_change(nights: TableWriter) -> None:
    with recorded(nights, "nightly", "third"):
        rows = (*neighbours(1, 3), *neighbours(2, 3))
        write(nights, RECOMMENDATIONS, *({**row, "run_id": "third"} for row in rows))
    assert told(nights.warehouse, "second") == ("third", [])


def test_a_run_that_has_not_ended_is_not_told(nights: TableWriter) -> None:
    with recorded(nights, "nightly", "third"):
        write(nights, RECOMMENDATIONS, *neighbours(1, 2))
        assert told(nights.warehouse, "second") == ("second", [])


def test_the_job_prints_a_line_per_list_and_the_run(
    nights: TableWriter, run_job: RunJob, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_job("changes", "--since", "first", "--warehouse", nights.warehouse) == 0
    changed, added, last = map(json.loads, capfd.readouterr().out.splitlines())
    assert (changed["change"], changed["list"], changed["product_id"]) == ("changed", "similar", 1)
    assert changed["rows"][0].items() >= {"rank": 1, "neighbour_id": 3, "similarity": 0.5}.items()
    assert added["change"] == "added"
    assert last == {"run_id": "second", "added": 1, "changed": 1, "removed": 0}
    nights.vacuum(RECOMMENDATIONS, 0, [])
    assert run_job("changes", "--since", "first", "--warehouse", nights.warehouse) == 1
    assert "which run first left, can no longer be read" in capfd.readouterr().err


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redis.Redis]:
    """A Redis of its own, which keeps nothing."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed (Debian: apt-get install redis-server)")
    socket = tmp_path_factory.mktemp("redis") / "socket"
    words = [program, "--port", "0", "--unixsocket", str(socket), "--save", ""]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    for _ in range(100):
        if socket.exists():
            break
        time.sleep(0.05)
    yield redis.Redis(unix_socket_path=str(socket), decode_responses=True)
    process.terminate()
    process.wait(timeout=20)


def kept(server: redis.Redis) -> dict[str, Any]:
    lists = {key: server.get(key) for key in server.scan_iter("recommendations:*:*")}
    return {
        key.removeprefix("recommendations:similar:"): [
            row["neighbour_id"] for row in json.loads(str(text))
        ]
        for key, text in lists.items()
    }


def test_a_redis_follows(nights: TableWriter, server: redis.Redis) -> None:
    server.flushall()
    server.set("recommendations:similar:77", "[]")  # of a warehouse that was here before
    server.set("else", "stays")
    sync, warehouse = SYNC["sync"], Path(nights.warehouse)
    assert sync(warehouse, server) == "3 lists sent, as of run second"
    second = {"1": [3], "2": [3]}
    assert kept(server) == second
    assert sync(warehouse, server) == "0 lists sent, as of run second"
    with recorded(nights, "nightly", "third"):
        write(nights, RECOMMENDATIONS, *neighbours(1, 2, 3))
    for _ in range(2):  # killed before its end, it is sent again
        server.set("recommendations:run", "second")
        assert sync(warehouse, server) == "2 lists sent, as of run third"
        assert kept(server) == {"1": [2, 3]}
    nights.vacuum(RECOMMENDATIONS, 0, [])
    server.set("recommendations:run", "second")
    server.set("recommendations:similar:2", "[]")
    assert sync(warehouse, server) == "2 lists sent, as of run third"
    assert kept(server) == {"1": [2, 3]}
    assert server.get("else") == "stays"


def test_what_cannot_be_told_is_one_line(tmp_path: Path, nights: TableWriter) -> None:
    with pytest.raises(FashionrecError, match="nobody: there is no such run"):
        changes_since(Path(nights.warehouse), "nobody")
    with pytest.raises(FashionrecError, match="run nightly first"):
        changes_since(tmp_path / "nowhere", None)
