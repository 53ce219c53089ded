"""A server of Azure's storage on loopback: Azurite, which `npm install -g azurite` brings."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from azure.storage.blob import BlobServiceClient
from loopback import BUCKET, free_port, wait_for

ACCOUNT = "devstoreaccount1"
# Azurite's own, which its manual tells.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@contextmanager
def serving_abfss() -> Iterator[dict[str, str]]:
    """Start the server with an empty container; yield the environment of its clients."""
    program, port, quiet = shutil.which("azurite-blob"), free_port(), subprocess.DEVNULL
    if program is None:
        pytest.skip("azurite-blob is not on the PATH: npm install -g azurite")
    words = [program, "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"]
    words += ["--blobHost", "127.0.0.1", "--blobPort", str(port)]
    server = subprocess.Popen(words, stdout=quiet, stderr=quiet)
    try:
        wait_for(port, server)
        env = _environment(f"http://127.0.0.1:{port}")
        client = BlobServiceClient.from_connection_string(env["AZURE_STORAGE_CONNECTION_STRING"])
        client.create_container(BUCKET)
        yield env
    finally:
        server.kill()
        server.wait()


def _environment(url: str) -> dict[str, str]:
    """What adlfs reads, the first, and delta-rs, the others: where the server is, and the key."""
    account = f"AccountName={ACCOUNT};AccountKey={KEY}"
    return {
        "AZURE_STORAGE_CONNECTION_STRING": (
            f"DefaultEndpointsProtocol=http;{account};BlobEndpoint={url}/{ACCOUNT};"
        ),
        "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
        "AZURE_STORAGE_ACCOUNT_KEY": KEY,
        "AZURE_STORAGE_USE_EMULATOR": "true",
        "AZURITE_BLOB_STORAGE_URL": url,
    }
