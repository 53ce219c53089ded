"""What schedulers and webhooks are told of a run, however it ended."""

import json
import logging
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from conftest import RunJob, run
from fashionrec.config import load
from fashionrec.errors import UsageError
from fashionrec.outcome import notify
from fashionrec.settings import NotifySettings
from fashionrec.store import Store
from fashionrec.tables import RUNS
from test_lock import holding

Row = dict[str, Any]


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Row]]:
    """What a server on loopback is sent; the environment names it as the webhook."""
    received: list[Row] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("FASHIONREC_WEBHOOK", f"http://127.0.0.1:{server.server_port}/token")
    yield received
    server.shutdown()
    server.server_close()


@pytest.fixture
def last_line(capfd: pytest.CaptureFixture[str]) -> Callable[[], Row]:
    """The one line that --json leaves on stdout."""

    def read() -> Row:
        (line,) = capfd.readouterr().out.splitlines()
        record: Row = json.loads(line)
        assert list(record) == RUNS.names
        return record

    return read


def test_a_run_that_succeeds_is_a_line_and_no_post(
    night: Store, run_job: RunJob, webhook: list[Row], last_line: Callable[[], Row]
) -> None:
    assert run_job("publish", "--warehouse", night.warehouse, "--json", "--run-id", "mine") == 0
    record = last_line()
    assert (record["run_id"], record["job"], record["status"]) == ("mine", "publish", "succeeded")
    assert record["counts"] == {"publish.rows_changed": 0}
    assert list(record["seconds"]) == ["publish"]
    assert record["versions_read"] == night.versions() | {"runs": record["versions_read"]["runs"]}
    assert record["versions_written"] == {}
    assert webhook == []


def test_a_refused_run_is_told_with_its_reason(
    night: Store, run_job: RunJob, webhook: list[Row], last_line: Callable[[], Row]
) -> None:
    strict = ("--set", "audits.disagreement={limit=0, severity='refuse'}")
    night.spark.sql(f"UPDATE delta.`{night.warehouse}/products` SET gender = 'Men'")
    assert run_job("publish", "--warehouse", night.warehouse, "--json", *strict) == 3
    record = last_line()
    assert record["status"] == "refused"
    assert "disagreement" in record["message"]
    (told,) = webhook
    assert told["text"] == (
        f"fashionrec publish refused on {socket.gethostname()}: {record['message']}"
    )
    del told["text"]
    assert told == {
        "run_id": record["run_id"],
        "job": "publish",
        "status": "refused",
        "message": record["message"],
        "host": socket.gethostname(),
    }


def test_a_failed_run_is_told(
    tmp_path: Path, run_job: RunJob, webhook: list[Row], last_line: Callable[[], Row]
) -> None:
    nowhere = ("--catalogue", tmp_path / "nowhere", "--warehouse", tmp_path / "w")
    assert run_job("ingest", "--json", *nowhere) == 1
    record = last_line()
    assert record["status"] == "failed"
    assert record["message"].startswith(f"{tmp_path}/nowhere: there is no such folder")
    assert [told["message"] for told in webhook] == [record["message"]]


def test_a_run_that_never_began_is_told_as_well(
    tmp_path: Path, run_job: RunJob, webhook: list[Row], last_line: Callable[[], Row]
) -> None:
    assert run_job("ingest", "--json", "--warehouse", tmp_path, "--run-id", "mine") == 2
    record = last_line()
    assert (record["run_id"], record["job"], record["status"]) == ("mine", "ingest", "failed")
    assert (record["counts"], record["versions_written"]) == ({}, {})
    assert record["message"].startswith("ingest needs a catalogue")
    assert run_job("ingest", "--json", "--set", "nonsense=1") == 2
    assert last_line()["message"].startswith("--set nonsense=1: there is no setting")
    assert [told["run_id"] for told in webhook] == ["mine"]  # without settings there is no webhook


def test_what_is_no_run_is_not_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, webhook: list[Row]
) -> None:
    monkeypatch.setenv("SPARK_LOG_DIR", str(tmp_path / "logs"))
    assert run("lookup", "--warehouse", tmp_path / "w", "7") == 1
    nowhere = ("--catalogue", tmp_path / "nowhere", "--warehouse", tmp_path / "w")
    assert run("nightly", "--dry-run", *nowhere) == 1
    assert webhook == []


def test_an_address_of_any_spelling_is_only_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(logging.getLogger("fashionrec"), "propagate", True)
    settings = NotifySettings(webhook="http://[::ffff:127.0.0.1]:9/", max_seconds=1)
    notify(settings, {"run_id": "r", "job": "nightly", "status": "failed", "message": "m"})
    assert "notify: the webhook was not told" in caplog.text


def test_a_held_warehouse_is_told(
    night: Store, run_job: RunJob, webhook: list[Row], last_line: Callable[[], Row]
) -> None:
    process = holding(Path(night.warehouse), 60)
    try:
        assert run_job("publish", "--json", "--warehouse", night.warehouse) == 5
    finally:
        process.kill()
        process.wait()
    assert last_line()["status"] == "held"
    assert [told["status"] for told in webhook] == ["held"]


def test_a_killed_run_is_told_by_the_next_one(
    night: Store, run_job: RunJob, webhook: list[Row], last_line: Callable[[], Row]
) -> None:
    row = night.read(RUNS).first()
    assert row is not None
    night.put(RUNS, row.asDict() | {"run_id": "killed", "status": "running"})
    assert run_job("publish", "--json", "--warehouse", night.warehouse) == 0
    assert last_line()["status"] == "succeeded"
    assert [(told["run_id"], told["status"]) for told in webhook] == [("killed", "abandoned")]


def test_a_webhook_that_does_not_answer_costs_a_night_nothing(
    tmp_path: Path, run_job: RunJob, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/token"
        hook = ("--set", f"notify.webhook={url}", "--set", "notify.max_seconds=0.2")
        assert run_job("ingest", "--warehouse", tmp_path, *hook) == 2
    err = capfd.readouterr().err
    assert "notify: the webhook was not told: took more than 0.2 seconds" in err
    assert "token" not in err + (tmp_path / "logs" / "fashionrec.log").read_text()


def test_no_webhook_no_post(webhook: list[Row]) -> None:
    row = {"run_id": "a", "job": "ingest", "status": "failed", "message": "no space"}
    notify(NotifySettings(webhook="", max_seconds=1), row)
    assert webhook == []


@pytest.mark.parametrize(
    "url", ["ftp://a/token", "a/token", "https://me:token@a/", "http:///token"]
)
def test_a_webhook_that_is_no_url_is_told_at_once_and_kept_secret(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FASHIONREC_WEBHOOK", url)
    with pytest.raises(UsageError) as error:
        load()
    told = "setting 'notify.webhook': give an http or https url, without a password"
    assert str(error.value) == told
    assert load(overrides=["notify.webhook="]).notify.webhook == ""


FAILS = """
import sys
from fashionrec.cli import run_job
from fashionrec.runs import log
def main(context):
    log.info("half %s", "done")
    raise ValueError("a defect")
sys.argv = ["x/make_trouble.py", "--log-format", sys.argv[1]]
run_job("", main)
"""


def stderr_of(form: str, logs: Path) -> list[str]:
    command = [sys.executable, "-c", FAILS, form]
    env = {"SPARK_LOG_DIR": str(logs), "PYTHONPATH": ":".join(sys.path)}
    result = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stdout) == (1, "")
    return result.stderr.splitlines()


def test_logs_as_json_lines(tmp_path: Path) -> None:
    first, last = map(json.loads, stderr_of("json", tmp_path))
    assert list(first) == ["time", "level", "logger", "message"]
    assert (first["level"], first["logger"]) == ("info", "fashionrec.runs")
    assert first["message"] == "half done"
    assert (last["level"], last["logger"]) == ("error", "fashionrec.cli")
    assert last["message"].startswith("ValueError: a defect (stack trace: ")


def test_logs_as_text(tmp_path: Path) -> None:
    first, last = stderr_of("text", tmp_path)
    assert first.partition(" ")[2] == "half done"
    assert last.startswith("error: ValueError: a defect (stack trace: ")
    assert "Traceback" in (tmp_path / "fashionrec.log").read_text()


SLEEPS = """
import sys, time
from fashionrec.cli import add_run_options, run_job
from fashionrec.lock import locked
def main(context):
    with locked(context.warehouse, context.options.run_id, context.config.lock):
        print("asleep", flush=True)
        try:
            time.sleep(60)
        finally:
            if tidying == "fails":
                raise ValueError("Java has gone")
tidying = sys.argv[2]
sys.argv = ["sleep.py", "--json", "--run-id", "mine", "--warehouse", sys.argv[1]]
run_job("", main, add_run_options)
"""


@pytest.mark.parametrize("tidying", ["works", "fails"])
def test_sigterm_ends_a_job_as_ctrl_c_does(tidying: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", SLEEPS, str(tmp_path / "w"), tidying]
    env = {"SPARK_LOG_DIR": str(tmp_path), "PYTHONPATH": ":".join(sys.path)}
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "asleep\n"
    process.terminate()
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    record = json.loads(out)
    assert (record["run_id"], record["status"]) == ("mine", "failed")
    assert record["message"] == "interrupted"
    assert not (tmp_path / "w" / "_lock").exists()
