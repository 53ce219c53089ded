"""Catalogue vectors made ready for search, and the queries that search them."""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from fashionrec.neighbours.checks import check_norms, check_unique, check_vectors
from fashionrec.neighbours.lists import Floats, Ints
from fashionrec.neighbours.lowering import (
    Lowering,
    as_tensor,
    lower,
    lowered_columns,
    norms_of,
)

Precision = Literal["auto", "bf16", "fp32"]

# Tiles are whole groups of columns wide; see `firstpass`.
GROUP = 64
_CHUNK = 2048


@dataclass(frozen=True)
class Items:
    """A catalogue: float32 `vectors` [m, d], unique int64 `ids` [m], their order `by_id`, and the
    lowered form that the first pass multiplies.

    `norms` and `errors`, float64 [m], are those of `LoweredRows`; `copy` is None where the
    stored float32 rows are used as they are. A part of a catalogue shares the vectors of the
    whole; its own are at `places`, int64 [m].
    """

    vectors: Floats
    ids: Ints
    by_id: Ints
    lowering: Lowering
    norms: torch.Tensor
    errors: torch.Tensor
    copy: torch.Tensor | None
    places: Ints | None = None

    def stored(self, positions: Ints) -> Ints:
        """Rows of `vectors` where the items at these positions are."""
        return positions if self.places is None else self.places[positions]

    def part(self, positions: Ints, ids: Ints) -> "Items":
        """The items at `positions`, under other ids: a catalogue that takes no copy of them."""
        same = replace(self, ids=ids, by_id=np.argsort(ids, kind="stable"))
        if np.array_equal(positions, np.arange(len(self.ids))):
            return same  # whose tiles need not be gathered
        norms, errors = self.norms[positions], self.errors[positions]
        return replace(same, norms=norms, errors=errors, places=self.stored(positions))

    def tile(self, start: int, stop: int) -> torch.Tensor:
        """Lowered rows start to stop, then rows that mean nothing up to whole groups."""
        missing = padded(stop - start) - (stop - start)
        if self.copy is None:
            places = slice(start, stop) if self.places is None else self.places[start:stop]
            rows = as_tensor(self.vectors[places]).to(self.lowering.device)
            return torch.nn.functional.pad(rows, (0, 0, 0, missing)) if missing else rows
        if self.places is None:
            return self.copy[start : stop + missing]
        return rows_at(self.copy, np.pad(self.places[start:stop], (0, missing)))

    def positions_of(self, ids: Ints) -> Ints:
        """Position of each id, int64; -1 where the catalogue lacks it."""
        if not len(self.ids):
            return np.full(len(ids), -1, np.int64)
        slots = np.searchsorted(self.ids, ids, sorter=self.by_id).clip(max=len(self.ids) - 1)
        positions = self.by_id[slots]
        return np.where(self.ids[positions] == ids, positions, -1).astype(np.int64)

    def as_stored(self) -> "Items":
        """The same catalogue, searched by its float32 rows."""
        norms = self.norms + self.errors + norms_of(self.lowering.mean[None])
        stored = _as_they_are(self.vectors, self.lowering.device)
        return replace(
            self, lowering=stored, norms=norms, errors=torch.zeros_like(norms), copy=None
        )


@dataclass(frozen=True)
class Queries:
    """Queries are rows `index` [n] of `vectors`; `own`: position of the same id among the items,
    or -1; `floors`: float32 [n], the least similarity that is of use."""

    vectors: Floats
    own: Ints
    index: Ints
    floors: Floats

    def take(self, rows: Ints | slice) -> "Queries":
        """The queries at `rows`."""
        return Queries(self.vectors, self.own[rows], self.index[rows], self.floors[rows])


def prepare_items(
    vectors: Floats,
    ids: Ints,
    *,
    precision: Precision = "auto",
    device: str = "cpu",
    file: Path | None = None,
) -> Items:
    """Check a catalogue and lower it once, for any number of searches.

    `vectors` is float32 [m, d], near unit length, and may be a read-only memory map; `ids` is
    int64 [m]. bf16 costs 2 * m * d bytes of memory, or of `file` where it is given; fp32 none.
    Precision decides the time of a search, never its result; "auto" takes bf16 where the processor
    multiplies it natively.
    Raises ValueError for NaN, infinity, a norm above 256, or an id that is there twice.
    """
    check_vectors("items", vectors, ids)
    by_id = np.argsort(ids, kind="stable")
    check_unique(ids[by_id])
    place = torch.device(device)
    mean = _mean(vectors)
    use_bf16 = precision == "bf16" or (precision == "auto" and _multiplies_bf16(place))
    lowering = Lowering(torch.bfloat16, place, mean) if use_bf16 else _as_they_are(vectors, place)
    copy = lowered_copy(vectors, lowering, file)
    norms, errors = _lower_into(copy, vectors, lowering)
    return Items(vectors, ids, by_id, lowering, norms, errors, copy)


def lowered_copy(vectors: Floats, lowering: Lowering, file: Path | None) -> torch.Tensor | None:
    """Room for the lowered rows, in memory or mapped from a new file; none is needed for rows as
    they are."""
    if lowering.dtype == torch.float32:
        return None
    if file is None:
        shape = _copy_shape(vectors, lowering)
        return torch.zeros(shape, dtype=lowering.dtype, device=lowering.device)
    with file.open("ab") as room:  # a full disk would else kill whoever writes to the map
        size = math.prod(_copy_shape(vectors, lowering))
        os.posix_fallocate(room.fileno(), 0, size * lowering.dtype.itemsize)
    return mapped_copy(vectors, lowering, file, writable=True)


def mapped_copy(
    vectors: Floats, lowering: Lowering, file: Path, *, writable: bool = False
) -> torch.Tensor:
    """The lowered rows that a file holds, mapped into memory."""
    shape = _copy_shape(vectors, lowering)
    mapped = torch.from_file(
        str(file), shared=writable, size=math.prod(shape), dtype=lowering.dtype
    )
    return mapped.view(shape)


def _copy_shape(vectors: Floats, lowering: Lowering) -> tuple[int, int]:
    # Zero rows at the end let the last tile, wherever it starts, be whole groups wide.
    return len(vectors) + GROUP, lowered_columns(vectors.shape[1], lowering.dtype)


def rows_at(copy: torch.Tensor, places: Ints) -> torch.Tensor:
    """Some rows of a lowered copy."""
    return copy.index_select(0, torch.from_numpy(places).to(copy.device))


def no_floors(count: int) -> Floats:
    """Floors that every item reaches."""
    return np.full(count, -np.inf, np.float32)


def padded(columns: int) -> int:
    """The width of a tile that holds so many columns."""
    return -(-columns // GROUP) * GROUP


def _multiplies_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    can = torch.cpu.get_capabilities()
    return bool(can.get("amx_bf16") or can.get("avx512_bf16"))


def _chunks(vectors: Floats) -> Iterator[slice]:
    return (slice(i, i + _CHUNK) for i in range(0, len(vectors), _CHUNK))


def _mean(vectors: Floats) -> torch.Tensor:
    total = torch.zeros(vectors.shape[1], dtype=torch.float64)
    for part in _chunks(vectors):
        rows = as_tensor(vectors[part])
        check_norms("items", part.start + np.arange(len(rows)), norms_of(rows))
        total += rows.sum(0)
    return (total / max(len(vectors), 1)).float()


def _as_they_are(vectors: Floats, device: torch.device) -> Lowering:
    return Lowering(torch.float32, device, torch.zeros(vectors.shape[1]))


def _lower_into(
    copy: torch.Tensor | None, vectors: Floats, lowering: Lowering
) -> tuple[torch.Tensor, torch.Tensor]:
    norms = torch.zeros(len(vectors), dtype=torch.float64)
    errors = torch.zeros_like(norms)
    for part in _chunks(vectors):
        rows = lower(vectors[part], lowering, "item")
        norms[part], errors[part] = rows.norms, rows.errors
        if copy is not None:
            copy[part.start : part.start + len(rows.matrix)] = rows.matrix
    return norms, errors
