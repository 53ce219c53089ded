"""Inverted lists for large catalogues: pictures that are alike lie in one list.

faiss trains the lists on a sample and says which list each picture is in. A product is searched for
only in the lists nearest to its own, and there exactly, so that products of one list share their
matrix products; what that loses is measured by `recall`.
"""

from dataclasses import dataclass
from math import isqrt

import faiss
import numpy as np

from fashionrec.neighbours.lists import Floats, Ints
from fashionrec.neighbours.rules import Bools

# Pictures of the sample per list: faiss asks for at least 39.
_SAMPLE = 64
_CHUNK = 16_384


@dataclass(frozen=True)
class InvertedLists:
    """The list of each picture, `list_of` int64 [m], and the lists' `centroids` [lists, d].

    `probes`: into how many lists a search looks; it looks at all of no more than `few` pictures.
    """

    list_of: Ints
    centroids: Floats
    probes: int
    few: int

    def near(self, picture: int, among: Ints) -> Bools:
        """Which of the pictures `among` a search looks at: those in the lists nearest to that of
        `picture`, of the lists that have any of them."""
        if len(among) <= self.few:
            return np.ones(len(among), np.bool_)
        lists = self.list_of[among]
        similarities = self.centroids @ self.centroids[self.list_of[picture]]
        similarities[np.bincount(lists, minlength=len(self.centroids)) == 0] = -np.inf
        probed = np.zeros(len(self.centroids), np.bool_)
        probed[np.argsort(-similarities, kind="stable")[: self.probes]] = True
        near: Bools = probed[lists]
        return near


def train_lists(vectors: Floats, probes: int, few: int) -> InvertedLists:
    """Cut unit vectors [m, d] into some sqrt(m) lists, which makes the search of a list's products
    in one of the others a square tile; by as many threads as faiss has been given."""
    count, length = isqrt(len(vectors)), vectors.shape[1]
    centroids = faiss.IndexFlatIP(length)
    index = faiss.IndexIVFFlat(centroids, length, count, faiss.METRIC_INNER_PRODUCT)
    size = min(len(vectors), count * _SAMPLE)
    sample = np.random.default_rng(0).choice(len(vectors), size, replace=False)
    index.train(vectors[np.sort(sample)])
    chunks = (vectors[i : i + _CHUNK] for i in range(0, len(vectors), _CHUNK))
    list_of = [centroids.assign(np.ascontiguousarray(chunk), 1)[:, 0] for chunk in chunks]
    return InvertedLists(np.concatenate(list_of), centroids.reconstruct_n(0, count), probes, few)
