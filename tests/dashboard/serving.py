"""The page's server as a process of its own, and a server of pictures."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from conftest import ROOT

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
NO_BROWSER = "no Chromium here: these tests need one (Debian: apt-get install chromium)"


class PictureServer(ThreadingHTTPServer):
    """Answers every path with one picture, and counts connections."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.picture = b""
        self.connections = 0

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        self.connections += 1
        return super().get_request()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.picture)  # type: ignore[attr-defined]

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving_pictures() -> Iterator[PictureServer]:
    with PictureServer() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        return int(probe.getsockname()[1])


def start(warehouse: Path, folder: Path, *options: str) -> tuple[subprocess.Popen[str], str]:
    """Start the job as spark-submit.sh does; return its process and what it printed first."""
    environment = os.environ | {
        "FASHIONREC_HOME": str(folder),
        "SPARK_LOG_DIR": str(folder / "logs"),
        "HOME": str(folder),
    }
    environment.pop("FASHIONREC_DASHBOARD_PASSWORD", None)
    command = [sys.executable, str(ROOT / "jobs" / "dashboard.py"), "--warehouse", str(warehouse)]
    process = subprocess.Popen(
        [*command, *options],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=(folder / "stderr").open("w"),
        text=True,
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


@contextmanager
def serving_page(warehouse: Path, folder: Path, port: int, *options: str) -> Iterator[str]:
    """Serve the page meanwhile; yield the address that the job printed."""
    process, url = start(warehouse, folder, "--port", str(port), *options)
    try:
        wait_for(port)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def wait_for(port: int) -> None:
    for _ in range(300):
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError
