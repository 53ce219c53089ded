"""An S3 server of its own process on loopback, and clients that find it by their environment."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3

SECRET = "s3cret-of-tests"
BUCKET = "shop"


def environment(port: int) -> dict[str, str]:
    """What every client of S3 reads: where the server is, and credentials."""
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": SECRET,
    }


@contextmanager
def serving_s3() -> Iterator[dict[str, str]]:
    """Start the server with an empty bucket; yield the environment of its clients."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1"]
    quiet = subprocess.DEVNULL
    server = subprocess.Popen([*words, "-p", str(port)], stdout=quiet, stderr=quiet)
    try:
        _wait_for(port, server)
        yield environment(port)
    finally:
        server.kill()
        server.wait()


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while True:
        assert server.poll() is None, "the S3 server does not start"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.1)


def upload(folder: Path, name: str) -> str:
    """Copy a folder into the bucket; return its URI."""
    client = boto3.client("s3")
    for path in folder.rglob("*"):
        if path.is_file():
            client.upload_file(str(path), BUCKET, f"{name}/{path.relative_to(folder)}")
    return f"s3a://{BUCKET}/{name}"


def contents(name: str = "") -> dict[str, bytes]:
    """Return every object below a name."""
    found = boto3.resource("s3").Bucket(BUCKET).objects.filter(Prefix=name)
    return {each.key: each.get()["Body"].read() for each in found}


def without_submit_args() -> dict[str, str]:
    """Return the environment in which a job starts as from a shell."""
    return {k: v for k, v in os.environ.items() if k != "PYSPARK_SUBMIT_ARGS"}
