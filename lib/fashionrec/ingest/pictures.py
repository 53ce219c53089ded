"""Examining a picture by decoding it: pure Python and Pillow, no Spark."""

import io
import re
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

# Our own limit is checked before any pixel is decoded; Pillow's would cap what conf may allow.
Image.MAX_IMAGE_PIXELS = None

# Phones write several JPEGs into one file, which Pillow calls MPO; the first is the picture.
_FORMATS = {"JPEG": "JPEG", "MPO": "JPEG", "PNG": "PNG", "WEBP": "WEBP"}
# A progressive JPEG has about ten scans. Each costs a pass over all pixels, and may be 75 bytes.
_MOST_SCANS = 100
_SCAN, _END = b"\xff\xda", b"\xff\xd9"
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")  # others stand amid the pixels


@dataclass(frozen=True)
class Limits:
    """What a picture may have at most."""

    max_pixels: int
    max_bytes: int


class UnusableError(Exception):
    """A file that cannot be used; the message is the reason."""


def examine_picture(content: bytes, limits: Limits) -> dict[str, str]:
    """Return format, width, height (pixels) and mode of a picture that decodes as a whole.

    Raises:
        UnusableError: empty, no image, another format, too large, or truncated.
    """
    if not content:
        raise UnusableError("empty file")
    try:
        with Image.open(io.BytesIO(content)) as image:
            _check_kind(image, content, limits)
            image.load()
            kind = _FORMATS[str(image.format)]
            return {
                "format": kind,
                "width": str(image.width),
                "height": str(image.height),
                "mode": image.mode,
            }
    except UnusableError:
        raise
    except UnidentifiedImageError as error:
        raise UnusableError("not an image") from error
    except Exception as error:  # decoders meet hostile bytes: whatever they raise is a reason
        raise UnusableError(_decoding_reason(error)) from error


def _check_kind(image: Image.Image, content: bytes, limits: Limits) -> None:
    if image.format not in _FORMATS:
        raise UnusableError(f"format {image.format} is not accepted: JPEG, PNG and WebP are")
    if image.width * image.height > limits.max_pixels:
        raise UnusableError(f"more than {limits.max_pixels:,} pixels")
    if _FORMATS[image.format] == "JPEG" and _scans(content) > _MOST_SCANS:
        raise UnusableError(f"more than {_MOST_SCANS} scans")


def _scans(content: bytes) -> int:
    """Count a JPEG's scans up to its end: what follows a picture does not matter."""
    place, scans = 2, 0
    while (marker := _MARKER.search(content, place)) and marker[0] != _END:
        scans += marker[0] == _SCAN
        length = content[marker.end() : marker.end() + 2]
        place = marker.end() + int.from_bytes(length, "big")
    return scans


def _decoding_reason(error: Exception) -> str:
    # Pillow has no exception of its own for a picture that ends too early.
    if "truncated" in str(error).lower() or isinstance(error, EOFError):
        return "truncated image"
    return f"cannot be decoded: {error or type(error).__name__}"
