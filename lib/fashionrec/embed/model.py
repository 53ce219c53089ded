"""A model version: a folder of weights and model.json, or torchvision's own weights. No Spark."""

import hashlib
import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG
from typing import Annotated, Any, Self

import safetensors.torch
import torch
import torchvision.models
from pydantic import BaseModel, Field, ValidationError
from safetensors import SafetensorError, safe_open

from fashionrec.embed.preprocessing import STUDY, Preprocessing
from fashionrec.errors import FashionrecError

HEADS = ("gender", "base_colour")  # those that a model may have beside its classifier
_TORCHVISION = "torchvision:"
_DEFAULT_ARCHITECTURE = "resnet50"
_MOST_BYTES_OF_CARD, _MOST_BYTES_OF_WEIGHTS = 16 << 20, 4 << 30
_ARCHITECTURES = tuple(torchvision.models.list_models(include=["*resnet*", "*resnext*"]))


@dataclass(frozen=True)
class Model:
    """A model version, ready to be sent to executors.

    weights: safetensors, torchvision's parameter names; fc is the article-type head, if any.
    classes: article types in the order of the head's outputs; empty where there is no head.
    heads: the classes of further heads, by name; training may go on with them.
    threshold: the least probability of an accepted prediction, None where the model names none.
    """

    version: str
    source: str
    architecture: str
    preprocessing: Preprocessing
    classes: tuple[str, ...]
    threshold: float | None
    metrics: dict[str, float]
    weights: bytes
    heads: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, weights_hash: str, **fields: Any) -> Self:
        """Make a model whose version is NAME-HASH over all that decides its embeddings."""
        identity = {
            "weights": weights_hash,
            "architecture": fields["architecture"],
            "preprocessing": fields["preprocessing"].model_dump(),
            "classes": fields["classes"],
        }
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        return cls(version=f"{name}-{digest[:12]}", **fields)


def load_model(source: str, home: Path) -> Model:
    """Return the model of a folder (below `home` where relative) or of "torchvision:WEIGHTS".

    Raises:
        FashionrecError: naming the folder or file, what is wrong with it, and what to do.
    """
    if source.startswith(_TORCHVISION):
        return _torchvision_model(source)
    return _folder_model(source, home / os.path.expanduser(source))


def cached_weights(source: str) -> Path | None:
    """Return the file in which torchvision's weights are kept once downloaded; None: a folder.

    Raises:
        FashionrecError: torchvision has no such weights.
    """
    if not source.startswith(_TORCHVISION):
        return None
    architecture, _, name = source.removeprefix(_TORCHVISION).rpartition("/")
    weights = _torchvision_weights(architecture or _DEFAULT_ARCHITECTURE, name)
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name


def _folder_model(source: str, folder: Path) -> Model:
    card = _read_card(folder)
    weights = _read_weights(folder / card.weights.file, card.weights.sha256)
    names = _tensor_names(folder / card.weights.file)
    return Model.of(
        card.name,
        card.weights.sha256,
        source=source,
        architecture=card.architecture,
        preprocessing=card.preprocessing,
        classes=card.classes.article_type if "fc.weight" in names else (),
        threshold=card.threshold,
        metrics={k: float(v) for k, v in card.metrics.items() if _is_number(v)},
        weights=weights,
        heads={k: getattr(card.classes, k) for k in HEADS if f"heads.{k}.weight" in names},
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) <= sys.float_info.max


class _Weights(BaseModel):
    file: str = Field(pattern=r"^[\w.-]+$")  # a name, so that it cannot point out of the folder
    sha256: str


_Label = Annotated[str, Field(pattern=r"^[^\x00-\x1f]+$")]  # no pattern fits half a surrogate pair


class _Classes(BaseModel):
    article_type: tuple[_Label, ...] = ()
    gender: tuple[_Label, ...] = ()
    base_colour: tuple[_Label, ...] = ()


class _Card(BaseModel):
    """The part of model.json that is used; the rest is for people."""

    name: str = Field(pattern=r"^[\w.-]+$")
    architecture: str
    weights: _Weights
    preprocessing: Preprocessing
    classes: _Classes = _Classes()
    threshold: float | None = Field(default=None, ge=0, le=1)
    metrics: dict[str, Any] = {}


def _read_card(folder: Path) -> _Card:
    path = folder / "model.json"
    if not folder.is_dir():
        raise FashionrecError(f"{folder}: there is no such model folder; check the setting 'model'")
    try:
        document = json.loads(_read(path, _MOST_BYTES_OF_CARD))
        card = _Card.model_validate(_normalised(document))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise FashionrecError(f"{path}: '{place}': {first['msg'].lower()}") from error
    except (ValueError, RecursionError) as error:
        raise FashionrecError(f"{path}: is not JSON: {error}") from error
    if card.architecture not in _ARCHITECTURES:
        known = ", ".join(_ARCHITECTURES)
        raise FashionrecError(f"{path}: architecture '{card.architecture}' is none of {known}")
    return card


def _normalised(document: Any) -> Any:
    """Accept the long forms of two fields: torchvision.models.NAME, and a sentence for stretch."""
    if isinstance(document, dict):
        document["architecture"] = str(document.get("architecture")).rpartition(".")[2]
        preprocessing = document.get("preprocessing")
        if isinstance(preprocessing, dict) and "stretched" in str(preprocessing.get("resize")):
            preprocessing["resize"] = "stretch"
    return document


def _read_weights(path: Path, sha256: str) -> bytes:
    weights = _read(path, _MOST_BYTES_OF_WEIGHTS)
    found = hashlib.sha256(weights).hexdigest()
    if found != sha256:
        raise FashionrecError(f"{path}: its SHA-256 is {found}, model.json says {sha256}")
    return weights


def _read(path: Path, most: int) -> bytes:
    """Return a file's bytes; a folder may come from anywhere, with pipes and bombs in it."""
    try:
        status = path.stat()
        if not S_ISREG(status.st_mode) or status.st_size > most:
            raise FashionrecError(f"{path}: is no file of at most {most:,} bytes")
        return path.read_bytes()
    except OSError as error:
        raise FashionrecError(f"{path}: cannot be read ({error.strerror})") from error


def _tensor_names(path: Path) -> list[str]:
    try:
        with safe_open(path, framework="pt") as file:
            return list(file.keys())
    except SafetensorError as error:
        raise FashionrecError(f"{path}: is no safetensors file: {error}") from error


def _torchvision_model(source: str) -> Model:
    """Return ImageNet's weights under the study's transform: Resize 256, CenterCrop 224.

    ImageNet's thousand classes are no article types, so the classifier is left out.
    """
    architecture, _, name = source.removeprefix(_TORCHVISION).rpartition("/")
    architecture = architecture or _DEFAULT_ARCHITECTURE
    weights = _torchvision_weights(architecture, name)
    try:
        state = weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except OSError as error:
        raise FashionrecError(
            f"{source}: its weights could not be downloaded ({error}): connect to the internet "
            f"once, or put {Path(weights.url).name} into torch's hub folder"
        ) from error
    trunk = {key: value for key, value in state.items() if not key.startswith("fc.")}
    return Model.of(
        f"{architecture}-{name.lower().replace('_', '-')}",
        Path(weights.url).stem,  # torchvision's file names end in the head of their SHA-256
        source=source,
        architecture=architecture,
        preprocessing=STUDY,
        classes=(),
        threshold=None,
        metrics={},
        weights=safetensors.torch.save(trunk),
    )


def _torchvision_weights(architecture: str, name: str) -> Any:
    if architecture not in _ARCHITECTURES:
        raise FashionrecError(f"model: '{architecture}' is none of {', '.join(_ARCHITECTURES)}")
    known = torchvision.models.get_model_weights(architecture)
    if name not in known.__members__:
        raise FashionrecError(
            f"model: torchvision's {architecture} has no weights '{name}'; it has "
            f"{', '.join(known.__members__)}"
        )
    return known[name]
