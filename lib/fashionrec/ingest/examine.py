"""What a file of the catalogue holds: read, hashed and decoded once, no Spark."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from fashionrec.ingest.details import examine_details
from fashionrec.ingest.listing import CANNOT_READ, IMAGE, STYLES, Entry, read_content
from fashionrec.ingest.pictures import Limits, UnusableError, examine_picture


@dataclass(frozen=True)
class Finding:
    """The content's SHA-256 (None: it was not read), and its facts or the problem with it."""

    sha256: str | None = None
    problem: str | None = None
    facts: dict[str, str] = field(default_factory=dict)


def examine_entry(folder: Path, entry: Entry, limits: Limits) -> Finding:
    """Return what the entry holds; whatever is wrong with it is its `problem`, never an error."""
    if entry.problem:
        return Finding(problem=entry.problem)
    if entry.kind == STYLES:  # read line by line elsewhere
        with (folder / entry.path).open("rb") as file:
            return Finding(hashlib.file_digest(file, "sha256").hexdigest())
    too_large = Finding(problem=f"more than {limits.max_bytes:,} bytes")
    if entry.size > limits.max_bytes:
        return too_large
    try:
        content = read_content(folder, entry, limits.max_bytes)
    except OSError as error:
        return Finding(problem=f"{CANNOT_READ}{error.strerror}")
    if len(content) > limits.max_bytes:  # it has grown since it was listed
        return too_large
    sha256 = hashlib.sha256(content).hexdigest()
    try:
        is_image = entry.kind == IMAGE
        facts = examine_picture(content, limits) if is_image else examine_details(content)
        return Finding(sha256, facts=facts)
    except UnusableError as error:
        return Finding(sha256, problem=str(error))
