"""A network's pass over one batch as a CUDA graph: recorded once, replayed for each batch.

A residual network is hundreds of kernels. For small pictures launching them one by one takes
several times as long as running them.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Forward = Callable[[Tensor], tuple[Tensor, Tensor]]

# Before it is recorded: cuDNN chooses its kernels and its memory in the first passes.
_WARM_UPS = 3


class CudaGraph:
    """`forward` on a GPU, for batches of one shape; not for several threads at a time."""

    def __init__(self, forward: Forward, shape: tuple[int, ...], device: torch.device) -> None:
        """Record it, for uint8 pixels of this shape."""
        self._device, self._graph = device, torch.cuda.CUDAGraph()
        with torch.cuda.device(device):
            self._pixels = torch.zeros(shape, dtype=torch.uint8, device=device)
            before = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            before.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(before):
                for _ in range(_WARM_UPS):
                    forward(self._pixels)
            torch.cuda.current_stream().wait_stream(before)
            with torch.cuda.graph(self._graph, stream=before):
                self._results = forward(self._pixels)

    def __call__(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Replay it for these pixels; the results last until the next call."""
        with torch.cuda.device(self._device):
            self._pixels.copy_(pixels)
            self._graph.replay()
        return self._results
