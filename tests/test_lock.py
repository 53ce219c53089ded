"""The lock with real processes: killed ones, waiting ones, and many at once."""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from fashionrec.errors import HeldError
from fashionrec.lock import living, locked
from fashionrec.settings import LockSettings

AT_ONCE = LockSettings(wait_seconds=0, dead_after_seconds=600)
PATIENT = LockSettings(wait_seconds=30, dead_after_seconds=600)

HOLD = """
import sys, time
from pathlib import Path
from fashionrec.settings import LockSettings
from fashionrec.lock import locked

with locked(Path(sys.argv[1]), "other", LockSettings(wait_seconds=0, dead_after_seconds=600)):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def holding(warehouse: Path, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLD, str(warehouse), str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_run_is_told_who_holds_the_warehouse(tmp_path: Path) -> None:
    process = holding(tmp_path, 60)
    try:
        told = rf"run other on .* \(process {process.pid}\) holds"
        with pytest.raises(HeldError, match=told), locked(tmp_path, "mine", AT_ONCE):
            raise AssertionError("two runs at once")
    finally:
        process.kill()
        process.wait()


def test_a_second_run_waits(tmp_path: Path) -> None:
    process = holding(tmp_path, 1.5)
    began = time.monotonic()
    with locked(tmp_path, "mine", PATIENT):
        assert time.monotonic() - began > 1
    process.wait()


def test_a_killed_runs_lock_is_taken_over_at_once(tmp_path: Path) -> None:
    process = holding(tmp_path, 60)
    process.kill()  # not yet waited for: a zombie holds nothing either
    while (
        process.poll() is None and Path(f"/proc/{process.pid}/stat").read_text().split()[2] != "Z"
    ):
        time.sleep(0.01)
    with locked(tmp_path, "mine", AT_ONCE):
        assert json.loads((tmp_path / "_lock").read_text())["run_id"] == "mine"
    process.wait()
    assert not (tmp_path / "_lock").exists()


def test_parts_are_held_one_by_one_and_the_living_are_known(tmp_path: Path) -> None:
    (tmp_path / "_lock.checkpoints.c").write_text(record(os.uname().nodename, 2**22 + 1, 1.0))
    with (
        locked(tmp_path, "night", AT_ONCE),
        locked(tmp_path, "one", AT_ONCE, "checkpoints/a"),
        locked(tmp_path, "two", AT_ONCE, "checkpoints/b"),
    ):
        assert living(tmp_path, AT_ONCE) == {"night", "one", "two"}
        with pytest.raises(HeldError, match=r"run one on .* holds checkpoints/a: wait"):
            locked(tmp_path, "three", AT_ONCE, "checkpoints/a").__enter__()
    assert living(tmp_path, AT_ONCE) == set()


def record(host: str, pid: int, started: float) -> str:
    return json.dumps({"run_id": "other", "host": host, "pid": pid, "started": started})


def test_another_process_under_the_same_id_holds_nothing(tmp_path: Path) -> None:
    host = os.uname().nodename
    (tmp_path / "_lock").write_text(record(host, os.getpid(), started=1.0))
    with locked(tmp_path, "mine", AT_ONCE):
        pass


def test_a_run_on_another_host_is_dead_once_it_is_silent(tmp_path: Path) -> None:
    lock = tmp_path / "_lock"
    lock.write_text(record("another-host", 1, 1.0))
    with pytest.raises(HeldError, match="another-host"), locked(tmp_path, "mine", AT_ONCE):
        pass
    silent = time.time() - AT_ONCE.dead_after_seconds - 1
    os.utime(lock, (silent, silent))
    with locked(tmp_path, "mine", AT_ONCE):
        pass


@pytest.mark.parametrize("text", ["", '{"run_id": "oth', "[]", '{"host": 1}'])
def test_half_a_record_holds_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "_lock").write_text(text)
    with locked(tmp_path, "mine", AT_ONCE):
        assert json.loads((tmp_path / "_lock").read_text())["pid"] == os.getpid()


def _add_one(folder: Path) -> None:
    for _ in range(5):
        with locked(folder, f"run-{os.getpid()}", PATIENT):
            count = int((folder / "count").read_text())
            time.sleep(0.002)  # long enough for another to come between
            (folder / "count").write_text(str(count + 1))


def test_one_at_a_time(tmp_path: Path) -> None:
    (tmp_path / "count").write_text("0")
    (tmp_path / "_lock").write_text(record(os.uname().nodename, 2**22 + 1, 1.0))
    with ProcessPoolExecutor(4) as pool:
        list(pool.map(_add_one, [tmp_path] * 4))
    assert (tmp_path / "count").read_text() == "20"
