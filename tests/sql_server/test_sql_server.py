"""Spark's Thrift server, as its clients meet it: who gets in, and what they find."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyhive import hive
from thrift.transport.TTransport import TTransportException

from conftest import ROOT, RunJob
from fashionrec.views import ALL

USER, WORD = "ann", "s3cret"


@pytest.fixture(scope="module")
def port(spark: object, _night: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server in a process of its own; it ends as a service does."""
    folder = tmp_path_factory.mktemp("server")
    warehouse = shutil.copytree(_night, folder / "warehouse")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    env = os.environ | {
        "PYTHONPATH": str(ROOT / "lib"),
        "FASHIONREC_HOME": str(ROOT),
        "FASHIONREC_SQL_USER": USER,
        "FASHIONREC_SQL_PASSWORD": WORD,
    }
    words = [sys.executable, str(ROOT / "jobs" / "sql_server.py"), "--warehouse", str(warehouse)]
    words += ["--set", f"sql_server.port={port}"]
    process = subprocess.Popen(words, env=env, cwd=folder, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == f"jdbc:hive2://127.0.0.1:{port}/default\n"
    yield port
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0


def rows(port: int, query: str, **login: Any) -> list[Any]:
    given = {"username": USER, "password": WORD, "auth": "CUSTOM"} | login
    with hive.connect("127.0.0.1", port, **given) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


def test_tables_and_views_are_there(port: int) -> None:
    names = {row[1] for row in rows(port, "SHOW TABLES")}
    assert names > {view.name for view in ALL} | {"products", "recommendations", "runs"}
    assert rows(port, "SELECT count(*), count(DISTINCT product_id) FROM products") == [(80, 80)]
    assert sum(row[1] for row in rows(port, "SELECT * FROM catalogue_by_gender")) == 80
    described = {row[0]: row[2] for row in rows(port, "DESCRIBE recommendations_wide")}
    assert described["neighbour_1"] == "the most similar product"


@pytest.mark.parametrize(
    "login",
    [{"password": "wrong"}, {"username": "bob"}, {"password": None, "auth": "NONE"}],
    ids=["wrong password", "wrong user", "no password"],
)
def test_nobody_else_gets_in(port: int, login: dict[str, Any]) -> None:
    with pytest.raises(TTransportException, match="Error validating the login"):
        rows(port, "SELECT 1", **login)


def test_beeline(port: int) -> None:
    url = f"jdbc:hive2://127.0.0.1:{port}/default"
    query = "SELECT source, count(*) AS n FROM rejects GROUP BY source ORDER BY source"
    program = [f"{os.environ['SPARK_HOME']}/bin/spark-class", "org.apache.hive.beeline.BeeLine"]
    options = ["-u", url, "-n", USER, "-p", WORD, "--silent=true", "--outputformat=csv2"]
    words = [*program, *options, "-e", query]
    result = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True)
    assert result.stdout.split()[-5:] == [  # before them is beeline's prompt
        "source,n",
        "cells,3",
        "images,8",
        "styles.csv,7",
        "styles.json,2",
    ]


def test_a_port_that_is_taken_is_one_line(
    port: int, run_job: RunJob, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    options = ("--warehouse", tmp_path, "--set", f"sql_server.port={port}")
    assert run_job("sql_server", *options) == 1
    assert f"sql_server.port {port} of 127.0.0.1: Address already in use" in capfd.readouterr().err


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "shop.example"])
def test_it_listens_to_others_only_with_user_and_password(
    run_job: RunJob,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    host: str,
) -> None:
    options = ("--warehouse", tmp_path, "--set", f"sql_server.host={host}")
    for user in ("", USER):
        monkeypatch.setenv("FASHIONREC_SQL_USER", user)
        assert run_job("sql_server", *options) == 2
        assert "FASHIONREC_SQL_PASSWORD must both be set" in capfd.readouterr().err
