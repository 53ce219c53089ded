"""Vectors in the low precision that the first pass multiplies.

bf16 rows are centred first: what rounding takes is in proportion to what there is to round, and
the vectors of a network after ReLU all lie near their mean. With x' = x - mean and b = mean.x',

    q.x = q'.x' + b(q) + b(x) + mean.mean

so a few more columns, b split in three bf16 parts against ones, bring the product itself back to
the similarity less a constant.
"""

import os
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from fashionrec.neighbours.lists import Floats

Side = Literal["query", "item"]

# AMX multiplies 32 bf16 at a time.
_STEP = 32
_BIAS_COLUMNS = 6
# Norms are summed in float32; for 2**16 elements they stay within this factor.
_NORM_MARGIN = 1.0 + 2.0**-7


@dataclass(frozen=True)
class Lowering:
    """How to lower: to `dtype`, after taking `mean`, float32 [d], from each row."""

    dtype: torch.dtype
    device: torch.device
    mean: torch.Tensor

    @property
    def score_dtype(self) -> torch.dtype:
        """The type of a product of lowered rows; only the CPU rounds the sums to bf16."""
        return self.dtype if self.device.type == "cpu" else torch.float32


@dataclass(frozen=True)
class LoweredRows:
    """Lowered rows [n, columns]; upper bounds on the `norms` of rounded rows and on the norms
    of the `errors`, of what rounding took: float64 [n]."""

    matrix: torch.Tensor
    norms: torch.Tensor
    errors: torch.Tensor

    def part(self, rows: slice | torch.Tensor) -> "LoweredRows":
        """Some of the rows."""
        return LoweredRows(self.matrix[rows], self.norms[rows], self.errors[rows])


def lower(rows: Floats, lowering: Lowering, side: Side) -> LoweredRows:
    """Lower float32 rows [n, d]; a query row times an item row is a score.

    Raises ValueError where torch may round float32 products, which would void the certificate.
    """
    _require_full_products()
    exact = as_tensor(rows)
    if lowering.dtype == torch.float32:
        norms = norms_of(exact)
        return LoweredRows(exact.to(lowering.device), norms, torch.zeros_like(norms))
    centred = exact - lowering.mean
    rounded = centred.bfloat16()
    bias = _thirds(centred @ lowering.mean)
    widened = rounded.float()
    norms = norms_of(widened)
    # The subtraction may itself be off by half a unit in the last place.
    errors = norms_of(centred.sub_(widened)) + norms * 2.0**-23
    return LoweredRows(_joined(rounded, bias, side).to(lowering.device), norms, errors)


def keep_few_kernels() -> None:
    """Let the library that multiplies bf16 on CPUs, oneDNN, keep what it compiled for 32 shapes of
    product in place of 1,024, at some 5 MB each: tiles of inverted lists differ in shape, which
    seldom comes again. To be called before this process's first product; the environment wins.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "32")


def turn_into_queries(matrix: torch.Tensor, length: int) -> torch.Tensor:
    """Make lowered item rows of bf16 vectors of this length lowered query rows, in place."""
    bias, ones = matrix[:, length : length + 3], matrix[:, length + 3 : length + 6]
    kept = bias.clone()
    bias.copy_(ones)
    ones.copy_(kept)
    return matrix


def lowered_columns(length: int, dtype: torch.dtype) -> int:
    """The columns that vectors of this length have after lowering."""
    if dtype == torch.float32:
        return length
    return -(-(length + _BIAS_COLUMNS) // _STEP) * _STEP


def norms_of(rows: torch.Tensor) -> torch.Tensor:
    """Upper bounds on the norms of float32 rows, float64."""
    norms: torch.Tensor = torch.linalg.vector_norm(rows, dim=1)
    return norms.double() * _NORM_MARGIN


def as_tensor(array: NDArray[np.generic]) -> torch.Tensor:
    """A tensor of the array; read-only memory is copied, as torch has no read-only tensors."""
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))


def _require_full_products() -> None:
    precision = torch.get_float32_matmul_precision()
    if precision != "highest":
        raise ValueError(f"torch's float32_matmul_precision must be 'highest'; it is {precision!r}")


def _thirds(bias: torch.Tensor) -> torch.Tensor:
    """Float32 numbers as sums of three bf16, [n, 3]: 8 + 8 + 8 bits."""
    high = bias.bfloat16()
    rest = bias - high.float()
    middle = rest.bfloat16()
    return torch.stack([high, middle, (rest - middle.float()).bfloat16()], 1)


def _joined(rounded: torch.Tensor, bias: torch.Tensor, side: Side) -> torch.Tensor:
    count, length = rounded.shape
    matrix = rounded.new_zeros(count, lowered_columns(length, rounded.dtype))
    first, second = (bias, 1.0) if side == "item" else (1.0, bias)
    matrix[:, :length] = rounded
    matrix[:, length : length + 3] = first
    matrix[:, length + 3 : length + 6] = second
    return matrix
