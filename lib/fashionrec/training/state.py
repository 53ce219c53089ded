"""Everything that a training changes: weights, momentum, their average, and the best so far."""

from typing import Any, cast

from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from fashionrec.model_settings import FinetuneSettings
from fashionrec.training.checkpoint import Tensors
from fashionrec.training.classifier import Classifier
from fashionrec.training.recipe import sgd

BEST = "best/"


class State:
    """A network with its optimizer; `tensors` and `load` carry all of it through a checkpoint."""

    def __init__(self, network: Classifier, settings: FinetuneSettings) -> None:
        self.network = network
        self._optimizer = sgd(network, settings)
        self._average = _average(network, settings.ema_decay) if settings.ema_decay else None
        self._best: Tensors = {}

    @property
    def averaged(self) -> Classifier:
        """The network to validate and to keep."""
        return cast(Classifier, self._average.module) if self._average else self.network

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of the next step."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate

    def step(self, loss: Tensor) -> None:
        """Go a step down the loss."""
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        if self._average:
            self._average.update_parameters(self.network)

    def keep_as_best(self) -> None:
        """Remember the weights as they are now."""
        now = self.averaged.state_dict()
        self._best = {name: tensor.detach().cpu().clone() for name, tensor in now.items()}

    def tensors(self) -> Tensors:
        """Return everything, to go on from."""
        parts: dict[str, dict[str, Tensor]] = {
            "network/": self.network.state_dict(),
            "momentum/": self._momentum(),
            BEST: self._best,
        }
        if self._average:
            parts["average/"] = self._average.state_dict()
        named = {f"{part}{k}": v for part, tensors in parts.items() for k, v in tensors.items()}
        # A copy of each: safetensors refuses tensors that share memory.
        return {name: tensor.detach().cpu().clone() for name, tensor in named.items()}

    def load(self, tensors: Tensors) -> None:
        """Go on from what `tensors` returned."""
        self.network.load_state_dict(part_of(tensors, "network/"))
        self._best = part_of(tensors, BEST)
        if self._average:
            self._average.load_state_dict(part_of(tensors, "average/"))
        optimizer: dict[str, Any] = self._optimizer.state_dict()
        optimizer["state"] = {
            int(number): {"momentum_buffer": tensor}
            for number, tensor in part_of(tensors, "momentum/").items()
        }
        self._optimizer.load_state_dict(optimizer)

    def _momentum(self) -> Tensors:
        state = self._optimizer.state_dict()["state"]
        buffers = {str(number): slot.get("momentum_buffer") for number, slot in state.items()}
        return {number: buffer for number, buffer in buffers.items() if buffer is not None}


def part_of(tensors: Tensors, prefix: str) -> Tensors:
    """Return the tensors below a prefix, without it."""
    found = {name: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    return {name.removeprefix(prefix): tensor for name, tensor in found.items()}


def _average(network: Classifier, decay: float) -> AveragedModel:
    # Batch-norm's statistics are averaged with the weights that they belong to.
    towards = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    average = AveragedModel(network, multi_avg_fn=towards, use_buffers=True)
    return average.requires_grad_(False)
