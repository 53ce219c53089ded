"""The network while it is trained: a trunk, and a head per attribute that it learns. No Spark."""

from dataclasses import dataclass

import safetensors.torch
import torch
from torch import Tensor, nn

from fashionrec.embed.model import Model
from fashionrec.embed.network import Normalise, load_trunk, trunk_of
from fashionrec.embed.preprocessing import Preprocessing

ARTICLE_TYPE = "article_type"


@dataclass(frozen=True)
class Blueprint:
    """What is built: architecture, what it sees, and each head's classes, the main one first."""

    architecture: str
    preprocessing: Preprocessing
    classes: dict[str, tuple[str, ...]]


class Classifier(nn.Module):
    """Normalised planes in, logits per head out."""

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__()
        self.trunk, width = trunk_of(blueprint.architecture)
        self.heads = nn.ModuleDict(
            {name: nn.Linear(width, len(known)) for name, known in blueprint.classes.items()}
        )
        self.normalise = Normalise(blueprint.preprocessing)

    def forward(self, planes: Tensor) -> dict[str, Tensor]:
        """float [n, 3, height, width] to float [n, classes] for each head."""
        pooled = self.trunk(planes)
        return {name: head(pooled) for name, head in self.heads.items()}


def new_classifier(
    blueprint: Blueprint, start: Model | None, *, seed: int, new_heads: bool
) -> Classifier:
    """Return the network that training begins with: `start`'s trunk, or random weights.

    With `new_heads` the last layer is random as well; without, classes that `start` knows keep
    their rows of it.

    Raises:
        FashionrecError: the weights are not the architecture's.
    """
    torch.manual_seed(seed)
    classifier = Classifier(blueprint)
    if start is not None:
        state = {k: v.float() for k, v in safetensors.torch.load(start.weights).items()}
        load_trunk(classifier.trunk, state, start)
        if not new_heads:
            _keep_known_rows(classifier, blueprint, start, state)
    return classifier


@torch.no_grad()
def _keep_known_rows(
    classifier: Classifier, blueprint: Blueprint, start: Model, state: dict[str, Tensor]
) -> None:
    for name, classes in blueprint.classes.items():
        known = start.classes if name == ARTICLE_TYPE else start.heads.get(name, ())
        index = {value: i for i, value in enumerate(known)}
        here = [i for i, value in enumerate(classes) if value in index]
        there = [index[classes[i]] for i in here]
        if here:
            for part in ("weight", "bias"):
                parameter = getattr(classifier.heads[name], part)
                parameter[here] = state[f"{_saved_head(name)}.{part}"][there]


def model_state(classifier: Classifier) -> dict[str, Tensor]:
    """Return the weights as a model folder has them: torchvision's names, then heads.NAME."""
    state = dict(classifier.trunk.state_dict())
    for name, head in classifier.heads.items():
        state |= {f"{_saved_head(name)}.{k}": v for k, v in head.state_dict().items()}
    # Half precision, as embed reads any folder; counts of batches play no part in inference.
    return {
        name: tensor.detach().cpu().half().contiguous()
        for name, tensor in state.items()
        if not name.endswith("num_batches_tracked")
    }


def _saved_head(name: str) -> str:
    return "fc" if name == ARTICLE_TYPE else f"heads.{name}"
