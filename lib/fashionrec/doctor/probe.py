"""What a Spark task says of the Python that it runs in: sent by value, so Python alone is needed.

It imports nothing of this package, whose absence is among what it tells.
"""

import hashlib
import importlib
import importlib.metadata
import importlib.resources
import shutil
import socket
import sys
import time
from typing import Any

Facts = dict[str, Any]

PACKAGES = ("pyspark", "numpy", "pandas", "pyarrow", "torch", "pillow")
_LINGER = 0.3  # seconds: so that one worker does not answer for all


def facts_here(*, ask_torch: bool) -> Facts:
    """Return host, python, versions, the package's digest, time, free disk, and GPUs if asked."""
    from pyspark import SparkFiles, TaskContext

    time.sleep(_LINGER)
    task = TaskContext.get()
    gpus = task.resources().get("gpu") if task else None
    return {
        "host": socket.gethostname(),
        "python": sys.version.split()[0],
        "executable": sys.executable,
        "versions": {name: version_of(name) for name in PACKAGES},
        "package": package_digest(),
        "time": time.time(),
        "free": shutil.disk_usage(SparkFiles.getRootDirectory()).free,
        "addresses": list(gpus.addresses) if gpus else [],
        "gpus": _visible_gpus() if ask_torch else None,
    }


def version_of(name: str) -> str | None:
    """Return a package's version; None: it is not installed. Spark may bring its own pyspark."""
    try:
        if name == "pyspark":
            return str(importlib.import_module(name).__version__)
        return importlib.metadata.version(name)
    except (ImportError, importlib.metadata.PackageNotFoundError):
        return None


def package_digest() -> str | None:
    """Return a hash over this package's source, in a folder or a zip; None: it is not there."""
    try:
        root = importlib.resources.files("fashionrec")
    except ImportError:
        return None
    digest = hashlib.sha256()
    folders = [("", root)]
    while folders:
        above, folder = folders.pop()
        for child in sorted(folder.iterdir(), key=lambda child: child.name):
            if child.is_dir():
                folders.append((f"{above}{child.name}/", child))
            elif child.name.endswith(".py"):
                digest.update(f"{above}{child.name}\n".encode() + child.read_bytes())
    return digest.hexdigest()[:12]


def _visible_gpus() -> int:
    try:
        import torch
    except ImportError:
        return 0
    return torch.cuda.device_count() if torch.cuda.is_available() else 0
