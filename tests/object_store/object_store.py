"""Servers of object stores on loopback, and clients that find them by their environment."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import boto3
from azure_store import ACCOUNT, serving_abfss
from google_store import serving_gs
from loopback import BUCKET, free_port, wait_for
from upath import UPath

from fashionrec.objects import list_objects
from fashionrec.paths import at

SECRET = "s3cret-of-tests"
URIS = {
    "s3a": f"s3a://{BUCKET}",
    "gs": f"gs://{BUCKET}",
    "abfss": f"abfss://{BUCKET}@{ACCOUNT}.dfs.core.windows.net",
}


@contextmanager
def serving(scheme: str, folder: Path) -> Iterator[dict[str, str]]:
    """Start a scheme's server with an empty bucket; yield the environment of its clients."""
    servers = {"s3a": serving_s3, "gs": lambda: serving_gs(folder), "abfss": serving_abfss}
    with servers[scheme]() as env:
        yield env


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
    """Start the server of S3 with an empty bucket; yield the environment of its clients."""
    port, quiet = free_port(), subprocess.DEVNULL
    words = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1"]
    server = subprocess.Popen([*words, "-p", str(port)], stdout=quiet, stderr=quiet)
    try:
        wait_for(port, server)
        env = environment(port)
        client = boto3.client(
            "s3",
            endpoint_url=env["AWS_ENDPOINT_URL"],
            region_name=env["AWS_REGION"],
            aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=SECRET,
        )
        client.create_bucket(Bucket=BUCKET)
        yield env
    finally:
        server.kill()
        server.wait()


def upload(folder: Path, target: str) -> str:
    """Copy a folder to a URI of an object store; return it."""
    store = cast(UPath, at(target))
    for path in folder.rglob("*"):
        if path.is_file():
            store.fs.put_file(str(path), f"{store.path}/{path.relative_to(folder)}")
    return target


def contents(uri: str) -> dict[str, bytes]:
    """Return every object below a URI."""
    return {name: (at(uri) / name).read_bytes() for name, *_ in list_objects(at(uri))}


def without_submit_args() -> dict[str, str]:
    """Return the environment in which a job starts as from a shell."""
    return {k: v for k, v in os.environ.items() if k != "PYSPARK_SUBMIT_ARGS"}
