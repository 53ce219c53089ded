"""A picture from outside: fetched or uploaded, judged, encoded as a night would, and searched."""

import os
from dataclasses import dataclass
from threading import Lock

from fashionrec.config import Config
from fashionrec.dashboard.pictures import refusal
from fashionrec.embed.decode import as_pixels
from fashionrec.embed.encoder import Encoded, Encoder
from fashionrec.embed.engines import choose_program
from fashionrec.embed.model import Model
from fashionrec.errors import FashionrecError, FetchError
from fashionrec.fetch import fetch
from fashionrec.models import used_model
from fashionrec.read import TableReader

Told = dict[str, object]
_LOADING = Lock()  # torch traces one network at a time


class PictureEncoder:
    """A model version loaded for one picture at a time, on all cores."""

    def __init__(self, model: Model, config: Config) -> None:
        # A picture's numbers do not depend on how many others come along; alone is fastest.
        alone = config.embed.model_copy(update={"batch_size": 1})
        self.model = model
        self._encoder: Encoder = choose_program(model, alone).load(_cores())
        self._lock = Lock()

    def encode(self, content: bytes) -> Encoded:
        """Return what the model makes of a picture that has been judged usable."""
        pixels = as_pixels(content, self.model.preprocessing)
        with self._lock:
            return self._encoder.encode([pixels])[0]


def load_encoder(config: Config, model_version: str) -> PictureEncoder:
    """Load a model version that the warehouse has used.

    Raises:
        FashionrecError: it cannot be loaded.
    """
    model = used_model(TableReader(config.warehouse), model_version)
    with _LOADING:
        return PictureEncoder(model, config)


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def require_usable(content: bytes, config: Config) -> bytes:
    """Return a picture's bytes.

    Raises:
        FashionrecError: it is no picture, or over a limit of `ingest`.
    """
    if reason := refusal(content, config.ingest):
        raise FashionrecError(f"This picture cannot be used: {reason}.")
    return content


def fetch_picture(url: str, config: Config) -> bytes:
    """Return the picture that a URL answers with, under the limits of `fetch` and `ingest`.

    Raises:
        FashionrecError: it is not to be had, or no picture.
    """
    try:
        content = fetch(url.strip(), config.fetch)
    except FetchError as error:
        raise FashionrecError(f"This URL was not fetched: {error}.") from error
    return require_usable(content, config)


@dataclass(frozen=True)
class Verdict:
    """What a model calls a picture: classes and probabilities, the most probable first; `sure`:
    whether that reaches the model's threshold, None where it has none.
    """

    classes: list[tuple[str, float]]
    sure: bool | None


def verdict_of(encoded: Encoded, model: Model, most: int = 5) -> Verdict:
    """Return what the model calls a picture; no classes where it has no classifier."""
    order = (-encoded.probabilities).argsort(kind="stable")[:most]
    classes = [(model.classes[i], float(encoded.probabilities[i])) for i in order]
    if not classes or model.threshold is None:
        return Verdict(classes, None)
    return Verdict(classes, classes[0][1] >= model.threshold)


_SHARED = {"article_type": "type", "base_colour": "colour", "gender": "gender"}


def reason_of(product: Told, neighbour: Told) -> str:
    """Say what two products share beside their looks: 'Same type and colour'."""
    same = [
        word
        for name, word in _SHARED.items()
        if product.get(name) is not None and product.get(name) == neighbour.get(name)
    ]
    if not same:
        return "Similar look"
    return f"Same {' and '.join(filter(None, [', '.join(same[:-1]), same[-1]]))}"
