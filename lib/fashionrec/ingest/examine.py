"""What a file of the catalogue holds: read, hashed and decoded once, no Spark."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fashionrec.errors import FetchError, reason
from fashionrec.ingest.details import examine_details
from fashionrec.ingest.entries import CANNOT_READ, DETAILS, LINKS, STYLES, Entry, read_content
from fashionrec.ingest.links import is_url
from fashionrec.ingest.pictures import Limits, UnusableError, examine_picture
from fashionrec.paths import open_file


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
    if entry.kind in (STYLES, LINKS):  # read line by line elsewhere
        with open_file(folder / entry.path) as file:
            return Finding(hashlib.file_digest(file, "sha256").hexdigest())
    if entry.size > limits.max_bytes:
        return _too_large(limits)
    try:
        content = read_content(folder, entry, limits.max_bytes)
    except OSError as error:
        return Finding(problem=f"{CANNOT_READ}{reason(error)}")
    return _examine_content(entry.kind, content, limits)


def examine_link(
    folder: Path, entry: Entry, limits: Limits, fetch: Callable[[str], bytes]
) -> tuple[Finding, bytes | None]:
    """Return what is at the end of a link, and its bytes where they had to be fetched.

    `fetch` raises FetchError for a URL that cannot be had.
    """
    if entry.problem or not is_url(entry.archive):
        return examine_entry(folder, entry, limits), None
    try:
        content = fetch(str(entry.archive))
    except FetchError as error:
        return Finding(problem=f"{CANNOT_READ}{error}"), None
    return _examine_content(entry.kind, content, limits), content


def _examine_content(kind: str, content: bytes, limits: Limits) -> Finding:
    if len(content) > limits.max_bytes:  # a file may have grown since it was listed
        return _too_large(limits)
    sha256 = hashlib.sha256(content).hexdigest()
    try:
        is_details = kind == DETAILS
        facts = examine_details(content) if is_details else examine_picture(content, limits)
        return Finding(sha256, facts=facts)
    except UnusableError as error:
        return Finding(sha256, problem=str(error))


def _too_large(limits: Limits) -> Finding:
    return Finding(problem=f"more than {limits.max_bytes:,} bytes")
