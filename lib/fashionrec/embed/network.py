"""The network that a model version describes, in torch. No Spark."""

import safetensors.torch
import torch
import torchvision.models
from torch import Tensor, nn

from fashionrec.embed.model import Model
from fashionrec.errors import FashionrecError


class Network(nn.Module):
    """Pixels in, embeddings and class probabilities out.

    The trunk is a torchvision ResNet whose fc is taken out: its output is the pooling layer's.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.trunk = torchvision.models.get_model(model.architecture, weights=None)
        width = self.trunk.fc.in_features
        self.trunk.fc = nn.Identity()
        self.head = nn.Linear(width, len(model.classes)) if model.classes else None
        # Per channel, on the scale of bytes.
        mean, std = model.preprocessing.mean, model.preprocessing.std
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1) * 255, persistent=False)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 [n, height, width, 3] to float32 [n, d] of unit length and [n, classes]."""
        planes = pixels.permute(0, 3, 1, 2).float()
        pooled = self.trunk((planes - self.mean) / self.std)
        logits = self.head(pooled).float() if self.head else pooled[:, :0]
        embeddings = nn.functional.normalize(pooled.float())
        return embeddings, logits.float().softmax(dim=1)


def load_network(model: Model) -> Network:
    """Return the model's network in float32, ready for inference.

    Raises:
        FashionrecError: the weights are not the architecture's.
    """
    network = Network(model).eval()
    state = {k: v.float() for k, v in safetensors.torch.load(model.weights).items()}
    head = {k.removeprefix("fc."): v for k, v in state.items() if k.startswith("fc.")}
    trunk = {k: v for k, v in state.items() if not k.startswith(("fc.", "heads."))}
    try:
        missing = network.trunk.load_state_dict(trunk, strict=False)
        if network.head:
            network.head.load_state_dict(head)
    except RuntimeError as error:  # a shape that differs
        raise FashionrecError(f"{model.source}: weights do not fit: {error}") from error
    # Batch-norm's count of batches plays no part in inference, and some folders leave it out.
    lacking = [k for k in missing.missing_keys if not k.endswith("num_batches_tracked")]
    if lacking or missing.unexpected_keys:
        raise FashionrecError(
            f"{model.source}: the weights lack {lacking[:3]}, have {missing.unexpected_keys[:3]} "
            f"that {model.architecture} does not know"
        )
    return network
