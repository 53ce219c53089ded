"""What is published, judged slice by slice: a night warns of products that are served badly."""

import numpy as np
import pyarrow.dataset as ds

from fashionrec.evaluation.arrays import catalogue_of
from fashionrec.evaluation.judge import judge_lists, slices_below
from fashionrec.lookup import SIMILAR
from fashionrec.model_settings import EvaluateSettings
from fashionrec.neighbours.lists import Ints
from fashionrec.runs import Run
from fashionrec.store import Store
from fashionrec.tables import RECOMMENDATIONS


def warn_of_slices(store: Store, settings: EvaluateSettings, run: Run) -> None:
    """Warn of slices whose published lists are far below the mean; silent where none changed."""
    if not run.counts.get("publish.rows_changed"):
        return
    catalogue = catalogue_of(store)
    lists = _published(store, catalogue.ids)
    has_list = (lists >= 0).any(axis=1)
    if has_list.any():
        # Means alone: a night has no use for intervals.
        quick = settings.model_copy(update={"resamples": 1})
        for warning in slices_below(judge_lists(lists, catalogue, has_list, quick), settings):
            run.warn("publish", warning)


def _published(store: Store, ids: Ints) -> Ints:
    """Return the lists of products in the order of `ids`, as places among them."""
    columns = ["product_id", "rank", "neighbour_id"]
    rows = store.scan(RECOMMENDATIONS, columns, ds.field("list") == SIMILAR).to_table()
    ranks = rows["rank"].to_numpy()
    lists = np.full((len(ids), int(ranks.max(initial=1))), -1, np.int64)
    owners = np.searchsorted(ids, rows["product_id"].to_numpy())
    lists[owners, ranks - 1] = np.searchsorted(ids, rows["neighbour_id"].to_numpy())
    return lists
