"""JPEGs of one size, made from the pictures of a catalogue."""

import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from PIL import Image

_DISTINCT = 48
# The share of noise: enlarged pictures are smoother than a camera's, and would decode faster. This
# much makes 1800x2400 pixels a third of a megabyte.
_GRAIN = 0.02


def usable_pictures(catalogue: Path, count: int) -> list[bytes]:
    """Return the first pictures of a catalogue's folder that can be decoded."""
    return list(islice((content for content, _ in _decoded(catalogue)), count))


def pictures_of_size(catalogue: Path, size: tuple[int, int]) -> list[bytes]:
    """Return a few dozen JPEGs of a width and height."""
    noise = Image.effect_noise(size, 64).convert("RGB")
    contents = []
    for _, image in islice(_decoded(catalogue), _DISTINCT):
        buffer = io.BytesIO()
        resized = image.resize(size, Image.Resampling.BICUBIC)
        Image.blend(resized, noise, _GRAIN).save(buffer, "JPEG", quality=90)
        contents.append(buffer.getvalue())
    return contents


def _decoded(catalogue: Path) -> Iterator[tuple[bytes, Image.Image]]:
    for path in sorted((catalogue / "images").glob("*.jpg")):
        content = path.read_bytes()
        try:
            yield content, Image.open(io.BytesIO(content)).convert("RGB")
        except OSError:
            continue  # one of the faults that the sample has
