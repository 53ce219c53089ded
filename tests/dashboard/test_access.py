"""Who may see the page, and that nobody else does."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from serving import free_port, start, wait_for
from streamlit.testing.v1 import AppTest

from conftest import ROOT
from fashionrec.config import load
from fashionrec.dashboard.access import PASSWORD, Guard, LogIn, is_allowed, log_in_of
from fashionrec.dashboard.theme import streamlit_options
from fashionrec.dashboard.warehouse import Warehouse
from fashionrec.errors import UsageError
from fashionrec.urls import is_loopback

APP = ROOT / "lib" / "fashionrec" / "dashboard" / "app.py"
OUTSIDE = "dashboard.host=0.0.0.0"


@pytest.fixture(autouse=True)
def _own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FASHIONREC_HOME", str(tmp_path))
    monkeypatch.delenv(PASSWORD, raising=False)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost", "LOCALHOST"])
def test_this_machine_needs_no_log_in(host: str) -> None:
    log_in = log_in_of(load(overrides=[f"dashboard.host={host}"]).dashboard)
    assert (log_in.password, log_in.openid) == (None, False)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "10.0.0.1", "192.168.1.4", "shop.example", "localhost.example", "0"]
)
def test_beyond_it_a_log_in_is_required(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(overrides=[f'dashboard.host="{host}"']).dashboard
    with pytest.raises(UsageError, match="is seen beyond this machine"):
        log_in_of(settings)
    assert not is_loopback(host)
    monkeypatch.setenv(PASSWORD, "secret")
    assert log_in_of(settings).password == "secret"


def test_a_file_of_secrets(tmp_path: Path) -> None:
    (tmp_path / "secrets.toml").write_text('password = "from the file"')
    settings = load(overrides=[OUTSIDE, "dashboard.secrets=secrets.toml"]).dashboard
    assert log_in_of(settings).password == "from the file"
    assert "from the file" not in repr(log_in_of(settings))


@pytest.mark.parametrize("text", ["password = 5", 'password = ""', "password = hunter2"])
def test_a_bad_file_of_secrets_is_one_line_that_tells_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "secrets.toml").write_text(text)
    with pytest.raises(UsageError) as told:
        log_in_of(load(overrides=["dashboard.secrets=secrets.toml"]).dashboard)
    assert "hunter2" not in str(told.value)


AUTH = {
    "redirect_uri": "https://shop.example/oauth2callback",
    "cookie_secret": "c" * 32,
    "client_id": "id",
    "client_secret": "secret",
    "server_metadata_url": "https://login.example/.well-known/openid-configuration",
}


def openid(folder: Path, **changes: object) -> LogIn:
    lines = [f"{key} = {json.dumps(value)}" for key, value in (AUTH | changes).items()]
    (folder / "secrets.toml").write_text("\n".join(["[auth]", *lines]))
    return log_in_of(load(overrides=[OUTSIDE, "dashboard.secrets=secrets.toml"]).dashboard)


def test_openid_is_a_log_in(tmp_path: Path) -> None:
    assert openid(tmp_path).openid


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"client_id": "", "client_secret": 5}, "lacks client_id, client_secret"),
        ({"redirect_uri": "https://shop.example/"}, "followed by /oauth2callback"),
        ({"server_metadata_url": "http://login.example/x"}, "must begin with https://"),
        ({"server_metadata_url": "127.0.0.1/x"}, "must begin with https://"),
        ({"cookie_secret": "c" * 31}, "must have 32 characters or more"),
    ],
)
def test_bad_openid_settings_are_one_line(
    tmp_path: Path, changes: dict[str, object], told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        openid(tmp_path, **changes)


@pytest.mark.parametrize(
    ("email", "verified", "allowed"),
    [
        ("ann@shop.example", True, True),
        ("Ann@Shop.Example", True, True),
        ("bob@partner.example", True, True),
        ("eve@partner.example", True, False),
        ("ann@sub.shop.example", True, False),
        ("ann@notshop.example", True, False),
        ("@shop.example@elsewhere.example", True, False),
        ("ann@shop.example", False, False),
        ("ann@shop.example", "true", False),
        ("ann@shop.example", None, False),
        (None, True, False),
        ("", True, False),
    ],
)
def test_who_is_allowed(email: object, verified: object, allowed: bool) -> None:
    user = {"email": email, "email_verified": verified}
    assert is_allowed(user, ["@shop.example", "BOB@partner.example"]) is allowed
    assert is_allowed(user, [])


def test_the_job_refuses_to_start_beyond_this_machine(tmp_path: Path) -> None:
    process, first = start(tmp_path, tmp_path, "--host", "0.0.0.0", "--port", str(free_port()))
    assert (process.wait(60), first) == (2, "")
    [line] = (tmp_path / "stderr").read_text().splitlines()
    assert "is seen beyond this machine" in line


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    port = free_port()
    process, _ = start(tmp_path, tmp_path, "--port", str(port))
    try:
        wait_for(port)
        other = tmp_path / "other"
        other.mkdir()
        second, first = start(tmp_path, other, "--port", str(port))
        assert (second.wait(60), first) == (1, "")
        [line] = (other / "stderr").read_text().splitlines()
        assert "cannot be listened on" in line
    finally:
        process.terminate()
        process.wait(20)


def test_the_page_needs_no_spark() -> None:
    check = (
        "import sys\n"
        "from fashionrec.dashboard import explore, launch, nights, quality, similar\n"
        "sys.exit(any(name in sys.modules for name in ('pyspark', 'delta', 'py4j')))"
    )
    subprocess.run([sys.executable, "-c", check], check=True)


def test_protection_stays_on_and_nothing_is_reported() -> None:
    options = streamlit_options(load())
    assert options["server.enableXsrfProtection"] is True
    assert options["server.enableCORS"] is True
    assert options["browser.gatherUsageStats"] is False
    assert "localhost" in options["server.allowedHosts"]


def test_ten_wrong_passwords_a_minute_are_judged() -> None:
    now = [0.0]
    guard = Guard("secret", clock=lambda: now[0])
    assert [guard.admits("wrong") for _ in range(11)] == [False] * 10 + [None]
    assert guard.admits("secret") is None
    now[0] = 61.0
    assert guard.admits("secret") is True
    assert guard.admits("secre\udcff") is False


def opened(warehouse: Path, monkeypatch: pytest.MonkeyPatch, *overrides: str) -> AppTest:
    config = load(overrides=overrides).model_copy(update={"warehouse": str(warehouse)})
    monkeypatch.setattr(sys, "argv", ["app.py", config.model_dump_json(by_alias=True)])
    # It becomes the main module, which processes that later tests spawn would then run.
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    return AppTest.from_file(str(APP), default_timeout=60)


def test_nothing_is_shown_before_the_password(
    shop: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD, f"secret {time.time()}")
    page = opened(shop.path, monkeypatch).run()
    assert [title.value for title in page.title] == ["fashionrec"]
    assert not page.metric
    page.text_input[0].set_value("wrong")
    page.button[0].click().run()
    assert page.error[0].value == "Wrong password."
    assert not page.metric
    page.text_input[0].set_value(f"{log_in_of(load().dashboard).password}")
    page.button[0].click().run()
    assert page.title[0].value == "Explore the catalogue"
    assert page.metric


def test_before_the_first_night_the_page_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = opened(tmp_path / "nothing", monkeypatch).run()
    assert page.title[0].value == "No night yet"
    assert page.code[0].value == f"./spark-submit.sh nightly --warehouse {tmp_path / 'nothing'}"
    assert not page.exception
