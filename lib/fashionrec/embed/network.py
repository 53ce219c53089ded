"""The network that a model version describes, in torch. No Spark."""

from collections.abc import Iterator
from contextlib import contextmanager

import safetensors.torch
import torch
import torchvision.models
from torch import Tensor, nn

from fashionrec.embed.model import Model
from fashionrec.embed.preprocessing import Preprocessing
from fashionrec.errors import FashionrecError


class Normalise(nn.Module):
    """uint8 [n, height, width, 3] to float32 [n, 3, height, width], normalised per channel."""

    mean: Tensor
    std: Tensor

    def __init__(self, preprocessing: Preprocessing) -> None:
        super().__init__()
        # Per channel, on the scale of bytes.
        for name in ("mean", "std"):
            values = torch.tensor(getattr(preprocessing, name)).view(1, 3, 1, 1) * 255
            self.register_buffer(name, values, persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Normalise a batch."""
        return (pixels.permute(0, 3, 1, 2).float() - self.mean) / self.std


def trunk_of(architecture: str) -> tuple[nn.Module, int]:
    """Return a torchvision ResNet that ends at its pooling layer, and the width of that layer."""
    trunk = torchvision.models.get_model(architecture, weights=None)
    width = trunk.fc.in_features
    trunk.fc = nn.Identity()
    return trunk, width


class Network(nn.Module):
    """Pixels in, embeddings and class probabilities out."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.trunk, width = trunk_of(model.architecture)
        self.head = nn.Linear(width, len(model.classes)) if model.classes else None
        self.normalise = Normalise(model.preprocessing)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 [n, height, width, 3] to float32 [n, d] of unit length and [n, classes]."""
        pooled = self.trunk(self.normalise(pixels))
        logits = self.head(pooled).float() if self.head else pooled[:, :0]
        embeddings = nn.functional.normalize(pooled.float())
        return embeddings, logits.float().softmax(dim=1)


def load_network(model: Model) -> Network:
    """Return the model's network in float32, ready for inference.

    Raises:
        FashionrecError: the weights are not the architecture's, or hold what is no number.
    """
    network = Network(model).eval()
    state = {k: v.float() for k, v in safetensors.torch.load(model.weights).items()}
    load_trunk(network.trunk, state, model)
    wrong = [name for name, values in state.items() if not values.isfinite().all()]
    if wrong:
        raise FashionrecError(f"{model.source}: the weights {wrong[:3]} are not finite")
    if network.head:
        head = {k.removeprefix("fc."): v for k, v in state.items() if k.startswith("fc.")}
        with _fitting(model):
            network.head.load_state_dict(head)
    return network


def load_trunk(trunk: nn.Module, state: dict[str, Tensor], model: Model) -> None:
    """Load a model's weights into its trunk; its heads are left out.

    Raises:
        FashionrecError: the weights are not the architecture's.
    """
    weights = {k: v for k, v in state.items() if not k.startswith(("fc.", "heads."))}
    with _fitting(model):
        missing = trunk.load_state_dict(weights, strict=False)
    # Batch-norm's count of batches plays no part in inference, and some folders leave it out.
    lacking = [k for k in missing.missing_keys if not k.endswith("num_batches_tracked")]
    if lacking or missing.unexpected_keys:
        raise FashionrecError(
            f"{model.source}: the weights lack {lacking[:3]}, have {missing.unexpected_keys[:3]} "
            f"that {model.architecture} does not know"
        )


@contextmanager
def _fitting(model: Model) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # a shape that differs
        raise FashionrecError(f"{model.source}: weights do not fit: {error}") from error
