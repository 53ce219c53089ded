"""The job `sql`: one query or a shell, in DuckDB or in Spark, in each form of output."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from bare import read_until
from conftest import ROOT, RunJob
from fashionrec.store import Store
from fashionrec.tables import RECOMMENDATIONS

BY_SOURCE = "SELECT source, count(*) AS n FROM rejects GROUP BY ALL ORDER BY source"
ENVIRONMENT = {"PYTHONPATH": str(ROOT / "lib"), "FASHIONREC_HOME": str(ROOT)}
COUNTS = {"cells": 3, "images": 8, "styles.csv": 7, "styles.json": 2}


def sql(store: Store, *options: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run the job in a plain Python that could not start a JVM."""
    words = [sys.executable, ROOT / "jobs" / "sql.py", "--warehouse", store.warehouse, *options]
    env = {"PATH": "/nonexistent", "SPARK_LOG_DIR": os.environ["SPARK_LOG_DIR"], **ENVIRONMENT}
    return subprocess.run(words, env=env, input=stdin, capture_output=True, text=True, timeout=60)


def test_a_query_needs_no_jvm(night: Store) -> None:
    result = sql(night, BY_SOURCE)
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[1] == "|source     |n|"
    assert lines[3:-1] == [f"|{source:<11}|{n}|" for source, n in COUNTS.items()]
    as_json = sql(night, BY_SOURCE, "--format", "json").stdout.splitlines()
    assert {row["source"]: row["n"] for row in map(json.loads, as_json)} == COUNTS


@pytest.mark.parametrize("engine", ["duckdb", "spark"])
def test_both_engines_print_the_same(
    night: Store, run_job: RunJob, capfd: pytest.CaptureFixture[str], engine: str
) -> None:
    options = ("--warehouse", night.warehouse, "--engine", engine)
    assert run_job("sql", BY_SOURCE, "--format", "csv", *options) == 0
    csv = "".join(f"{source},{n}\n" for source, n in COUNTS.items())
    assert capfd.readouterr().out == f"source,n\n{csv}"
    assert run_job("sql", "DESCRIBE recommendations", *options) == 0
    described = capfd.readouterr().out
    for column in RECOMMENDATIONS.columns:
        assert column.comment in described
    assert run_job("sql", "SELECT * FROM produkts", *options) == 1
    assert "the tables are products, images" in capfd.readouterr().err
    assert run_job("sql", "SELEKT 1", *options) == 1
    assert run_job("sql", "SELECT CAST('a' AS INT)", *options) == 1
    err = capfd.readouterr().err
    assert len(err.splitlines()) == 2
    assert "Traceback" not in err


@pytest.mark.parametrize("engine", ["duckdb", "spark"])
def test_a_run_stands_for_what_it_left(
    night: Store, run_job: RunJob, capfd: pytest.CaptureFixture[str], engine: str
) -> None:
    night.spark.sql(f"DELETE FROM delta.`{night.path(RECOMMENDATIONS)}` WHERE rank > 1")
    query = "SELECT max(rank) AS most FROM recommendations"
    options = ("--warehouse", night.warehouse, "--engine", engine, "--format", "csv")
    assert run_job("sql", query, *options) == 0
    assert run_job("sql", query, *options, "--as-of", "first") == 0
    assert capfd.readouterr().out == "most\n1\nmost\n5\n"
    assert run_job("sql", query, *options, "--as-of", "nobody") == 1
    assert "nobody: there is no such run; the last ones: first" in capfd.readouterr().err


def test_a_file_is_written_whole_or_not_at_all(night: Store, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ("--format", "parquet", "--output", str(out))
    assert sql(night, "SELECT * FROM recommendations", *options).returncode == 0
    assert pq.read_table(out).num_rows == night.read(RECOMMENDATIONS).count()
    late = "SELECT CASE WHEN i = 999999 THEN ('a' || i)::INT END AS x FROM range(1000000) AS r(i)"
    result = sql(night, late, *options)
    assert result.returncode == 1
    assert "Could not convert string 'a999999'" in result.stderr
    assert pq.read_table(out).num_rows > 0
    assert list(tmp_path.glob(".out*")) == []
    result = sql(night, "SELECT 1", "--output", str(tmp_path / "none" / "out.csv"))
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)


def test_statements_from_stdin_end_with_the_first_error(night: Store) -> None:
    script = "SELECT ';' AS a, -- ;\n 1 AS b;SELECT 2 AS c;\nSELEKT 3; SELECT 4 AS d"
    result = sql(night, "--format", "csv", stdin=script)
    assert (result.returncode, result.stdout) == (1, "a,b\n;,1\nc\n2\n")
    assert result.stderr.startswith("error: Parser Error")


def test_the_shell(night: Store, tmp_path: Path) -> None:
    typed = b"SELECT 40 +\n2 AS x;\nSELEKT;\nSELECT 43\n\x03SELECT 44 AS y;\n\x04"
    words = [sys.executable, str(ROOT / "jobs" / "sql.py"), "--warehouse", night.warehouse]
    logs = os.environ["SPARK_LOG_DIR"]
    env = {"HOME": str(tmp_path), "TERM": "dumb", "SPARK_LOG_DIR": logs, **ENVIRONMENT}
    process, controller = pty.fork()
    if process == 0:
        os.execve(sys.executable, words, env)
    shown = read_until(controller, b"fashionrec> ")
    for line in typed.splitlines(keepends=True):
        for part in line.partition(b"\x03"):
            if part:
                os.write(controller, part)
                shown += read_until(controller, b"> ")
    assert os.waitpid(process, 0)[1] == 0
    text = shown.decode()
    assert "|42|" in text
    assert "error: Parser Error" in text
    assert "|43|" not in text
    assert "|44|" in text
    assert "SELECT 44 AS y;" in (tmp_path / ".fashionrec_history").read_text()
