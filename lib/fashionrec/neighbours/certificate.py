"""The proof that a cheap score bounds an exact similarity.

For a query q and an item x, centred, with rounded forms q~ and x~ (see `lowering`):

    |q.x - fl(q~.x~)| <= |q| |x - x~| + |q - q~| |x~| + g |q~| |x~|

by Cauchy-Schwarz, where g = n u / (1 - n u) bounds a float32 sum of n products in any order
(Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.1). Norms and rounding
errors are measured, not assumed. The bias columns add g times their own size.
"""

from dataclasses import dataclass

import torch

from fashionrec.neighbours.items import Items
from fashionrec.neighbours.lowering import Lowering, lowered_columns

# Two similarities less than 2**-24 apart may round to one float32; float64 sums and the
# arithmetic of this file are off by less than that again.
_ROUNDING = 2.0**-22
# Half a unit in the last place of a bf16, relative to the rounded value.
_BF16_HALF_STEP = 2.0**-8


@dataclass(frozen=True)
class Bounds:
    """Per query, float64 `slack` [n]: how far score + `shift` may be from the similarity, before
    the score is rounded to `dtype`."""

    slack: torch.Tensor
    shift: float
    dtype: torch.dtype

    def similarity_at_least(self, scores: torch.Tensor) -> torch.Tensor:
        """Similarities that items of these scores [n] surely reach, float64 [n]."""
        exact = scores.double().cpu()
        if self.dtype == torch.bfloat16:
            exact = exact - exact.abs() * _BF16_HALF_STEP
        return exact + self.shift - self.slack

    def score_at_least(self, similarities: torch.Tensor) -> torch.Tensor:
        """Scores that an item surely reaches whose similarity reaches this, `dtype` [n].

        Rounding is monotone: a score that reaches the bound before it is rounded to `dtype`
        reaches the rounded bound after. Every item reaches -1, as similarities are clamped.
        """
        needed = similarities.clamp(max=1.0) - self.shift - self.slack
        needed = torch.where(similarities <= -1.0, -torch.inf, needed)
        return needed.to(self.dtype).clamp(min=torch.finfo(self.dtype).min)

    def part(self, rows: slice | torch.Tensor) -> "Bounds":
        """The bounds of some queries."""
        return Bounds(self.slack[rows], self.shift, self.dtype)


def bounds_of(norms: torch.Tensor, errors: torch.Tensor, items: Items) -> Bounds:
    """Bounds on the scores of queries against any item.

    `norms` and `errors`, float64 [n], are those of the lowered queries; see `LoweredRows`.
    """
    mean = items.lowering.mean.double()
    norm, error = _largest(items.norms), _largest(items.errors)
    lost = (norms + errors) * error + errors * norm
    bias = mean.norm() * (norms + errors + norm + error)
    # A bias is itself a float32 sum, is split into parts, and takes part in the product.
    summed = _sum_error(len(mean), items.lowering) * (norms * norm + 3 * bias)
    return Bounds(lost + summed + _ROUNDING, float(mean @ mean), items.lowering.score_dtype)


def _largest(values: torch.Tensor) -> float:
    return float(values.max()) if len(values) else 0.0


def _sum_error(length: int, lowering: Lowering) -> float:
    terms = lowered_columns(length, lowering.dtype)
    # Tensor cores align and truncate products to few spare bits; eight units cover that.
    unit = 2.0**-21 if lowering.device.type == "cuda" else 2.0**-24
    return terms * unit / (1.0 - terms * unit)
