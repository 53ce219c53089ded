"""The commands as they are typed, most of them in processes of their own."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT, RunJob
from fashionrec.store import Store
from fashionrec.tables import PRODUCTS, RECOMMENDATIONS

SCRIPT = ROOT / "spark-submit.sh"


def command(*options: object) -> subprocess.CompletedProcess[str]:
    """Run the script as from a shell, without what the test run itself was given."""
    env = {k: v for k, v in os.environ.items() if k != "PYSPARK_SUBMIT_ARGS"}
    words = [str(SCRIPT), "--no-install", *map(str, options)]
    return subprocess.run(words, env=env, capture_output=True, text=True, timeout=120)


def lookup(*options: object) -> subprocess.CompletedProcess[str]:
    """Run lookup in a plain Python that could not start a JVM."""
    words = [sys.executable, str(ROOT / "jobs" / "lookup.py"), *map(str, options)]
    env = {"PATH": "/nonexistent", "SPARK_LOG_DIR": os.environ["SPARK_LOG_DIR"]}
    return subprocess.run(words, env=env, capture_output=True, text=True, timeout=60)


def test_lookup_prints_the_five_rows_without_a_jvm(night: Store) -> None:
    similar = night.read(RECOMMENDATIONS).where("list = 'similar'")
    rows = similar.orderBy("product_id", "rank").limit(5).collect()
    result = lookup(rows[0].product_id, "--warehouse", night.warehouse)
    assert result.returncode == 0, result.stderr
    first, heading, *lines = result.stdout.splitlines()
    assert first.startswith(f"{rows[0].product_id}  {rows[0].product_display_name}")
    assert heading == "  similar"
    assert [line.split()[:3] for line in lines[:5]] == [
        [str(row.rank), f"{row.similarity:.4f}", str(row.neighbour_id)] for row in rows
    ]


def without_java(*options: object) -> subprocess.CompletedProcess[str]:
    """Run the script in a world of its own, where no Java is installed."""
    hidden = 'mount -t tmpfs none /usr/lib/jvm && exec env -u JAVA_HOME "$@"'
    words = ["unshare", "-m", "sh", "-c", hidden, "sh", SCRIPT, "--no-install", *map(str, options)]
    result = subprocess.run(words, capture_output=True, text=True, timeout=120)
    if "unshare" in result.stderr or "mount" in result.stderr:
        pytest.skip(f"Java cannot be hidden here: {result.stderr.strip()}")
    return result


def test_questions_need_no_java(night: Store, tmp_path: Path) -> None:
    question = ("--format", "csv", "SELECT 6 * 7 AS answer", "--warehouse", night.warehouse)
    result = without_java("sql", *question)
    assert (result.returncode, result.stdout.split()) == (0, ["answer", "42"]), result.stderr
    for options in (["nightly"], ["sql", "--engine", "spark", "SELECT 1"]):
        result = without_java(*options, "--warehouse", tmp_path / "none")
        assert result.returncode == 1
        assert result.stderr.startswith("error: Spark needs Java 17 or 21, none was found")


def test_lookup_says_why_there_is_nothing(night: Store, tmp_path: Path) -> None:
    result = lookup(424242424242, "--warehouse", night.warehouse)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "error: product 424242424242 is not in the catalogue\n"
    bare = night.read(PRODUCTS).where("image_sha256 IS NULL").first().product_id
    result = lookup(bare, "--warehouse", night.warehouse)
    assert result.returncode == 1
    assert "has no usable picture, so it has no neighbours" in result.stderr
    result = lookup(1, "--warehouse", tmp_path / "empty")
    assert result.returncode == 1
    assert "there is no such table yet: run nightly first" in result.stderr
    assert lookup("abc").returncode == 2


def test_spark_options_are_passed_through(night: Store) -> None:
    options = ("sql", "--engine", "spark", "SET spark.sql.shuffle.partitions", "--format", "csv")
    result = command(
        *options, "--warehouse", night.warehouse, "--conf", "spark.sql.shuffle.partitions=3"
    )
    assert result.stdout == "key,value\nspark.sql.shuffle.partitions,3\n", result.stderr


def test_results_go_to_stdout_and_progress_to_stderr(night: Store) -> None:
    result = command("publish", "--json", "--warehouse", night.warehouse, "--name", "two words")
    assert result.returncode == 0, result.stderr
    (line,) = result.stdout.splitlines()
    assert json.loads(line)["status"] == "succeeded"
    assert "publish: nothing has changed" in result.stderr


def test_help_lists_every_job() -> None:
    result = command("help")
    assert result.returncode == 0
    for path in (ROOT / "jobs").glob("*.py"):
        assert path.stem.replace("_", "-") in result.stdout


def test_wrong_use_is_exit_2(tmp_path: Path, run_job: RunJob) -> None:
    result = command("nightlie")
    assert (result.returncode, result.stdout) == (2, "")
    assert "there is no job 'nightlie'" in result.stderr
    assert command().returncode == 2
    assert run_job("nightly", "--set", "embed.batchsize=1", "--warehouse", tmp_path) == 2
    assert run_job("ingest", "--warehouse", tmp_path) == 2
    assert list(tmp_path.iterdir()) == [tmp_path / "logs"]


def test_a_missing_environment_is_not_installed_when_forbidden(tmp_path: Path) -> None:
    for name in ("spark-submit.sh", "requirements.txt"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "nightly.py").write_text("")
    words = [str(tmp_path / "spark-submit.sh"), "nightly", "--no-install"]
    result = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert result.returncode == 1
    assert "installing is forbidden: run ./spark-submit.sh setup" in result.stderr
    assert not (tmp_path / ".venv").exists()


def test_make_sample_draws_and_refuses(
    tmp_path: Path, run_job: RunJob, capfd: pytest.CaptureFixture[str]
) -> None:
    options = ("--folder", tmp_path / "drawn", "--products", 60)
    assert run_job("make_sample", *options) == 0
    assert "60 products" in capfd.readouterr().out
    assert len(list((tmp_path / "drawn" / "styles").iterdir())) == 60
    assert run_job("make_sample", *options) == 2
    assert "is not an empty folder" in capfd.readouterr().err


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The script in a checkout whose Python, and whose Spark, print what they are started with."""
    python = tmp_path / ".venv" / "bin" / "python"
    submit = tmp_path / ".venv/lib/python3.11/site-packages/pyspark/bin/spark-submit"
    for path in (python, submit, tmp_path / "jobs" / "nightly.py"):
        path.parent.mkdir(parents=True)
        path.write_text(
            '#!/bin/sh\necho "$@"\necho "$PYSPARK_SUBMIT_ARGS"\necho "$PYSPARK_PYTHON"\n'
        )
        path.chmod(0o755)
    for name in ("spark-submit.sh", "requirements.txt"):
        shutil.copy(ROOT / name, tmp_path)
    stamp = f"printf '%s\\n' {tmp_path} | cat - {tmp_path}/requirements.txt | cksum"
    told = subprocess.run(stamp, shell=True, capture_output=True, text=True, check=True).stdout
    (tmp_path / ".venv" / "stamp").write_text(told)
    (tmp_path / ".jars" / "jars").mkdir(parents=True)
    (tmp_path / ".jars" / "jars" / "delta.jar").write_text("")
    (tmp_path / ".jars" / "stamp").write_text((ROOT / ".jars" / "stamp").read_text())
    return tmp_path / "spark-submit.sh"


@pytest.mark.parametrize("master", ["yarn", "k8s://https://host:6443", "spark://host:7077"])
def test_the_command_line_of_a_cluster(master: str, script: Path) -> None:
    words = [script, "nightly", "--no-install", "--archives", "environment.tar.gz#environment"]
    words += ["--jars", "own.jar", "--config", "conf/cluster.toml"]
    env = os.environ | {"MASTER": master, "PYSPARK_PYTHON": "./environment/bin/python"}
    run = subprocess.run(words, env=env, capture_output=True, text=True, timeout=60)
    job, options, python = run.stdout.splitlines()
    home = script.parent
    assert job == f"{home}/jobs/nightly.py --config conf/cluster.toml"
    jar = home / ".jars" / "jars" / "delta.jar"
    assert shlex.split(options) == [
        *("--master", master, "--driver-class-path", str(jar)),
        *("--archives", "environment.tar.gz#environment", "--jars", f"{jar},own.jar"),
        "pyspark-shell",
    ]
    assert python == "./environment/bin/python"
    # The driver on the cluster as well: Spark's own spark-submit is given the job's file.
    words += ["--deploy-mode", "cluster"]
    run = subprocess.run(words, env=env, capture_output=True, text=True, timeout=60)
    line = run.stdout.splitlines()[0]
    assert line.startswith(f"--master {master} ")
    assert "--deploy-mode cluster" in line
    assert line.endswith(f"{home}/jobs/nightly.py --config conf/cluster.toml")


def test_local_mode_runs_its_own_python(script: Path) -> None:
    env = {k: v for k, v in os.environ.items() if k != "MASTER"} | {"PYSPARK_PYTHON": "/another"}
    run = subprocess.run([script, "nightly"], env=env, capture_output=True, text=True, timeout=60)
    assert run.stdout.splitlines()[-1] == str(script.parent / ".venv" / "bin" / "python")
