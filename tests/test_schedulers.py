"""The examples for schedulers, by the schedulers' own tools where they are at hand."""

import json
import os
import re
import shlex
import shutil
import subprocess
import textwrap
from pathlib import Path

import pytest

from conftest import ROOT, run

EXAMPLES = ROOT / "examples"

# In an environment of its own: Airflow's pins and ours do not fit together.
PARSE = """
    import json, sys
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:
        from airflow.models import DagBag
    bag = DagBag(dag_folder=sys.argv[1])
    assert not bag.import_errors, bag.import_errors
    dag = bag.dags["fashionrec_nightly"]
    (task,) = dag.tasks
    print(json.dumps({"command": task.bash_command, "env": task.env, "retries": task.retries}))
    task.env = {}
    for status in (0, 1, 2, 3, 5):
        task.bash_command = f"echo told; exit {status}"
        try:
            print(status, task.execute({}))
        except Exception as error:
            print(status, type(error).__name__)
"""


@pytest.mark.skipif(
    "AIRFLOW_PYTHON" not in os.environ,
    reason="AIRFLOW_PYTHON names no Python that has Airflow (pip install apache-airflow)",
)
def test_airflow_parses_the_dag_and_retries_only_what_may_succeed(tmp_path: Path) -> None:
    dag = shutil.copy(EXAMPLES / "airflow_dag.py", tmp_path)
    command = [os.environ["AIRFLOW_PYTHON"], "-c", textwrap.dedent(PARSE), dag]
    env = {
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PATH": os.environ["PATH"],
    }
    result = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    told, *statuses = [line for line in result.stdout.splitlines() if re.match(r"\{|\d ", line)]
    task = json.loads(told)
    assert task["env"] == {"RUN_ID": "{{ run_id }}"}
    assert '--run-id "$RUN_ID"' in task["command"]
    assert task["retries"] == 3
    assert statuses == [
        "0 told",
        "1 AirflowException",
        "2 AirflowFailException",
        "3 AirflowFailException",
        "5 AirflowException",
    ]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    units = [*EXAMPLES.glob("*.service"), *EXAMPLES.glob("*.timer")]
    assert len(units) == 2
    for unit in units:  # it looks whether the command is there
        text = unit.read_text().replace("/opt/fashionrec", str(ROOT))
        (tmp_path / unit.name).write_text(text)
    paths = [str(tmp_path / unit.name) for unit in units]
    result = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *paths], capture_output=True, text=True
    )
    assert (result.returncode, result.stderr) == (0, "")


def crontab() -> list[list[str]]:
    """The lines of the crontab that run something, as five fields of time and a command."""
    lines = (EXAMPLES / "crontab").read_text().splitlines()
    return [line.split(maxsplit=5) for line in lines if re.match(r"[0-9*]", line)]


def test_the_crontab_runs_a_night_and_looks_at_it() -> None:
    night, look = crontab()
    for *times, command in (night, look):
        limits = (59, 23, 31, 12, 7)
        assert len(times) == 5
        for field, limit in zip(times, limits, strict=True):
            assert field == "*" or 0 <= int(field) <= limit
        assert "%" not in command  # cron makes a line end of it
        assert "--no-install" in command
    assert night[1] < look[1]
    assert " nightly " in night[5]
    assert " status " in look[5]


COMMAND = re.compile(r"spark-submit\.sh (nightly|status) --no-install ([^>)\n]*)")


@pytest.mark.parametrize("name", ["airflow_dag.py", "crontab", "fashionrec-nightly.service"])
def test_the_commands_of_an_example_are_taken(
    name: str,
    catalogue: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SPARK_LOG_DIR", str(tmp_path / "logs"))
    monkeypatch.setenv("FASHIONREC_HOME", str(ROOT))
    text = re.sub(r"'\n +\"", "", (EXAMPLES / name).read_text())  # one string of Python
    commands = COMMAND.findall(text)
    assert commands
    for job, options in commands:
        options = options.replace("/data/catalogue", str(catalogue)).replace("/data", str(tmp_path))
        words = shlex.split(options.partition(" 2")[0].rstrip('",'))
        assert {"--warehouse", f"{tmp_path}/warehouse"} <= set(words)
        if job == "nightly":
            assert run(job, *words, "--dry-run") == 0
            assert json.loads(capsys.readouterr().out)["status"] == "dry run"
        else:
            assert run(job, *words) == 1
            assert "there is no such table yet" in capsys.readouterr().err
