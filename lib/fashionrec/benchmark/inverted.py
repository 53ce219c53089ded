"""`benchmark neighbours` past exact lists: time and recall of inverted lists."""

import numpy as np

from fashionrec.benchmark.report import Figures, Timings
from fashionrec.benchmark.vectors import draw_vectors, keys_of
from fashionrec.neighbours.inverted import train_lists
from fashionrec.neighbours.items import prepare_items
from fashionrec.neighbours.local import search_here
from fashionrec.neighbours.plans import plan_lists
from fashionrec.neighbours.recall import measure_recall, references
from fashionrec.settings import NeighbourSettings


def time_inverted(report: Timings, settings: NeighbourSettings, count: int, length: int) -> Figures:
    """Search for the lists `similar` of `count` products in this process; return the recall."""
    vectors, ids = draw_vectors(count, length, seed=0), np.arange(count)
    plans = list(plan_lists(settings, keys_of(count)))
    requests = [request for part in plans for request in part.requests(count)]
    with report.timed(f"inverted lists of {count:,}, training"):
        lists = train_lists(vectors, settings.probes, min(settings.exact_up_to, count // 2))
    with report.timed(f"inverted lists of {count:,}, search"):
        items = prepare_items(vectors, ids)
        found = search_here(requests, ids, ids, items, settings.tile, lists)
    sample = references(plans, lists, ids, seed=0)
    with report.timed(f"exact lists of a sample of {len(sample[0].rows):,}"):
        reference = search_here(sample, ids, ids, items, settings.tile)
    members, expected = measure_recall(found, reference, settings.k)["similar"]
    return {"n": count, "recall_1m": members / expected, "recall_1m_length": length}
