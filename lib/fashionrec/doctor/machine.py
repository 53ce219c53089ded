"""This machine and what a night finds on it: catalogue, model, lock, disk, memory, clock."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import psutil

from fashionrec.doctor.finding import Finding, fail, ok, warn
from fashionrec.doctor.storage import nearest
from fashionrec.embed.model import cached_weights
from fashionrec.embed.network import load_network
from fashionrec.ingest.csv_lines import read_header
from fashionrec.ingest.entries import CANNOT_READ, IMAGE
from fashionrec.ingest.listing import find_styles, list_catalogue
from fashionrec.ingest.styles import COLUMNS
from fashionrec.lock import Holder
from fashionrec.models import wanted_model, wanted_source
from fashionrec.read import TableReader
from fashionrec.tables import RUNS

_GB = 1e9
# Of a picture's 2,048 numbers the search has four bytes each in a file, and two in a copy.
_SEARCHED = 12_288
_SPARE = 1e9  # bytes: logs, shuffles, and the tables without pictures
# The largest Python worker of the benchmarks held 640 MB.
_WORKER = 0.7e9
_CLOCKS_APART = 2.0  # seconds
# From here on a lock's age, of which lock.dead_after_seconds is at least a minute, misleads.
_CLOCKS_WRONG = 60.0
_CGROUP = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclass(frozen=True)
class Size:
    """How large a catalogue is, and how many of its files cannot be read."""

    bytes: int = 0
    pictures: int = 0
    unreadable: int = 0


def size_of(catalogue: Path) -> Size:
    """Look at a catalogue's files by name; nothing is there where it is still to be drawn."""
    if not catalogue.exists():
        return Size()
    size = pictures = unreadable = 0
    for entry in list_catalogue(catalogue):
        size += entry.size
        pictures += entry.kind == IMAGE
        unreadable += (entry.problem or "").startswith(CANNOT_READ)
    return Size(size, pictures, unreadable)


def check_catalogue(folder: Path, size: Size, *, is_sample: bool) -> Finding:
    """Check that styles.csv has its columns, and that files can be read."""
    if is_sample and not folder.exists():
        return ok(f"the sample, to be drawn into {folder}")
    read_header(find_styles(folder), COLUMNS)  # raises
    told = f"{folder}: {size.pictures:,} image entries, {size.bytes / 1e6:,.1f} MB"
    if size.unreadable:
        return fail(
            f"{told}; {size.unreadable:,} files cannot be read", "let this user read all of them"
        )
    return ok(told)


def check_model(reader: TableReader, wanted: str) -> Finding:
    """Check that the model of the setting `model` is at hand and whole; nothing is downloaded."""
    source = wanted_source(reader, wanted)
    file = cached_weights(source)
    if file is not None and not file.exists():
        todo = f"run a night with internet, or put its weights there: {file}"
        return warn(f"{source} is not in torch's cache", todo)
    model = wanted_model(reader, wanted)  # raises where its hash is another
    load_network(model)
    return ok(f"{model.version} ({source})")


def check_lock(holder: Holder | None) -> Finding:
    """Check that no other run holds the warehouse."""
    if holder is None:
        return ok("nobody holds the warehouse")
    return warn(
        f"run {holder.run_id} on {holder.host} (process {holder.pid}) holds the warehouse",
        "wait for its end, or let lock.wait_seconds be longer",
    )


@dataclass(frozen=True)
class Place:
    """A folder that is written to: its disk, and the bytes that are free and needed."""

    name: str
    disk: object
    free: float
    need: float


def place(name: str, folder: Path, need: float) -> Place:
    """Look at the disk of a folder, or of that in which it will be made."""
    there = nearest(folder)
    return Place(name, os.stat(there).st_dev, shutil.disk_usage(there).free, need)


def need_of_warehouse(catalogue: Size, stored: int) -> float:
    """Return the bytes that a warehouse should have free, where `images` has so many already.

    A rule of thumb: pictures are kept as they were found; nights and upkeep that rewrite their
    files leave the old ones for maintain.keep_hours. That is three times the catalogue, and with
    most of it stored still once.
    """
    growth = max(3 * catalogue.bytes - stored, catalogue.bytes)
    return growth + catalogue.pictures * _SEARCHED + _SPARE


def need_of_work(catalogue: Size) -> float:
    """Return the bytes that a folder for temporary files should have free: a search's vectors."""
    return catalogue.pictures * _SEARCHED + _SPARE


def check_disk(places: Sequence[Place]) -> Finding:
    """Check that each disk has room for all that is put on it."""
    told, wanting = [], []
    ordered = sorted(places, key=lambda each: str(each.disk))
    for _, group in groupby(ordered, key=lambda each: each.disk):
        same = list(group)
        names, need = " and ".join(each.name for each in same), sum(each.need for each in same)
        told.append(f"{names}: {same[0].free / _GB:,.1f} GB free of {need / _GB:,.1f} needed")
        wanting += [names] if same[0].free < need else []
    if wanting:
        return fail("; ".join(told), f"make room, or name other folders, for {', '.join(wanting)}")
    return ok("; ".join(told))


def memory_limit() -> float:
    """Return the bytes of memory that this machine, or this container, has."""
    limits = [Path(file).read_text().strip() for file in _CGROUP if Path(file).exists()]
    total = float(psutil.virtual_memory().total)
    return min([total, *(float(text) for text in limits if text.isdigit())])


def check_memory(limit: float, heap: float, workers: int) -> Finding:
    """Check that the driver's JVM, and the Python workers beside it, fit into the machine."""
    need = heap + workers * _WORKER
    told = f"{limit / _GB:,.1f} GB; the driver may take {heap / _GB:,.1f} GB"
    if workers:
        told += f", {workers} workers {workers * _WORKER / _GB:,.1f} GB"
    if need > limit:
        return fail(told, "give a smaller --driver-memory, or fewer cores: MASTER=local[N]")
    return ok(told)


def last_run(warehouse: str) -> datetime | None:
    """Return when the latest run of a warehouse began or ended."""
    reader = TableReader(warehouse)
    if not reader.exists(RUNS):
        return None
    rows = reader.scan(RUNS, ["started_at", "finished_at"]).to_table()
    times = rows["started_at"].to_pylist() + rows["finished_at"].to_pylist()
    return max(filter(None, times), default=None)


def check_clock(now: float, written: float | None, last: datetime | None) -> Finding:
    """Check this host's clock, in seconds since 1970, against the storage's and the last run."""
    if last is not None and last.timestamp() > now + _CLOCKS_APART:
        return fail(
            f"it is {datetime.fromtimestamp(now, UTC):%F %T} UTC, the last run was at "
            f"{last.astimezone(UTC):%F %T}",
            "set the clock (NTP): a night would seem older than those before it",
        )
    if written is None:
        return ok("not before the last run")
    return apart("the storage", now - written)


def apart(whose: str, seconds: float) -> Finding:
    """Judge by how many seconds a clock differs from this host's."""
    told = f"{whose}: {abs(seconds):.1f} s apart"
    todo = "let both follow the same time server (NTP)"
    if abs(seconds) > _CLOCKS_WRONG:
        return fail(told, todo)
    return warn(told, todo) if abs(seconds) > _CLOCKS_APART else ok(told)
