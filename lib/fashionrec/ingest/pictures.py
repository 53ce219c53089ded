"""Examining a picture by decoding it: pure Python and Pillow, no Spark."""

import io
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

# Our own limit is checked before any pixel is decoded; Pillow's would cap what conf may allow.
Image.MAX_IMAGE_PIXELS = None

# Phones write several JPEGs into one file, which Pillow calls MPO; the first is the picture.
_FORMATS = {"JPEG": "JPEG", "MPO": "JPEG", "PNG": "PNG", "WEBP": "WEBP"}
# A progressive JPEG has about ten scans. Each costs a pass over all pixels, and may be 75 bytes.
_SCAN, _MOST_SCANS = b"\xff\xda", 100


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
            _check_kind(image, limits)
            if _FORMATS[str(image.format)] == "JPEG" and content.count(_SCAN) > _MOST_SCANS:
                raise UnusableError(f"more than {_MOST_SCANS} scans")
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


def _check_kind(image: Image.Image, limits: Limits) -> None:
    if image.format not in _FORMATS:
        raise UnusableError(f"format {image.format} is not accepted: JPEG, PNG and WebP are")
    if image.width * image.height > limits.max_pixels:
        raise UnusableError(f"more than {limits.max_pixels:,} pixels")


def _decoding_reason(error: Exception) -> str:
    # Pillow has no exception of its own for a picture that ends too early.
    if "truncated" in str(error).lower() or isinstance(error, EOFError):
        return "truncated image"
    return f"cannot be decoded: {error or type(error).__name__}"
