"""Recall of lists that were searched through inverted lists, measured on a random sample.

The sample's lists are searched exactly as well, by the same executors; recall is the share of
their members that the lists have which are about to be written.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fashionrec.errors import RefusedError
from fashionrec.neighbours.inverted import InvertedLists
from fashionrec.neighbours.lists import Ints
from fashionrec.neighbours.plans import ListPlan
from fashionrec.neighbours.requests import Request
from fashionrec.settings import NeighbourSettings

_SAMPLE = 1_000
_MEMBER = ["list", "product_id", "neighbour_id"]


def references(
    plans: Sequence[ListPlan], lists: InvertedLists, pictures: Ints, seed: int
) -> list[Request]:
    """The exact searches for a sample's lists, of those that are not exact themselves."""
    count = len(pictures)
    rows = np.random.default_rng(seed).choice(count, min(count, _SAMPLE), replace=False)
    requests = [part.whole_lists(np.sort(rows), count) for part in plans]
    used = [request for request in requests if request.used(lists, pictures) is not None]
    return [request.as_reference() for request in used]


def measure_recall(lists: pa.Table, reference: pa.Table, k: int) -> dict[str, tuple[int, int]]:
    """By list, how many of the sample's k nearest the lists have, of how many; both are entries."""
    members, listed = (
        entries.filter(pc.field("rank") <= k).select(_MEMBER) for entries in (reference, lists)
    )
    found = members.join(listed, _MEMBER, join_type="inner")
    names = pc.unique(members["list"]).to_pylist()
    return {name: (_count(found, name), _count(members, name)) for name in names}


def require_recall(recall: dict[str, tuple[int, int]], settings: NeighbourSettings) -> None:
    """Refuse lists whose recall is too low.

    Raises:
        RefusedError: naming the list, its recall, and the settings that raise it.
    """
    for name, (found, expected) in recall.items():
        if found < settings.min_recall * expected:
            raise RefusedError(
                f"neighbours: the list '{name}' has a recall of {found / expected:.4f} ({found:,} "
                f"of {expected:,} neighbours of a sample), below neighbours.min_recall = "
                f"{settings.min_recall}; nothing was written: raise neighbours.probes "
                f"(now {settings.probes}) or neighbours.exact_up_to (now {settings.exact_up_to:,})"
            )


def _count(members: pa.Table, name: str) -> int:
    return int(pc.sum(pc.equal(members["list"], name)).as_py() or 0)
