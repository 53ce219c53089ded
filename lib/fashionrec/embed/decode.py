"""A picture's bytes become the pixels that a model wants: Pillow and numpy, no Spark.

Equal to torchvision's Resize and CenterCrop on PIL images; tests prove it.
"""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from fashionrec.embed.preprocessing import Preprocessing

Pixels = NDArray[np.uint8]

# Ingest has checked every picture against the limit that conf sets.
Image.MAX_IMAGE_PIXELS = None

# A JPEG is decoded at 1/2, 1/4 or 1/8 where that still leaves this many times the pixels needed:
# the scaling that follows then hides the difference.
_DRAFT_MARGIN = 2
# A picture of 10 x 1,000,000 pixels is small until its shorter side is scaled up.
_MOST_PIXELS = 1 << 26


def as_pixels(content: bytes, preprocessing: Preprocessing, *, reduced: bool = True) -> Pixels:
    """Return uint8 [height, width, 3] in RGB; whatever Pillow raises is the caller's to count.

    `reduced`: whether a JPEG much larger than that is decoded at reduced scale.
    """
    with Image.open(io.BytesIO(content)) as image:
        if reduced:
            needed = max(preprocessing.height, preprocessing.width, preprocessing.shorter_side or 0)
            image.draft(None, (_DRAFT_MARGIN * needed, _DRAFT_MARGIN * needed))
        upright = ImageOps.exif_transpose(image)
        return np.asarray(_resized(_as_rgb(upright), preprocessing))


def _as_rgb(image: Image.Image) -> Image.Image:
    """Return the picture in RGB, transparency on white as shops show it."""
    if image.mode.startswith("I"):  # 16-bit greyscale, which convert() would clip to white
        image = image.point(lambda value: value / 256).convert("L")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


def _resized(image: Image.Image, preprocessing: Preprocessing) -> Image.Image:
    height, width = preprocessing.height, preprocessing.width
    if preprocessing.resize == "stretch":
        return image.resize((width, height), Image.Resampling.BILINEAR)
    side = preprocessing.shorter_side or min(height, width)
    short = min(image.size)
    scaled = tuple(side if length == short else int(side * length / short) for length in image.size)
    if scaled[0] * scaled[1] > _MOST_PIXELS:
        raise ValueError(f"{image.width} x {image.height} pixels are too long a strip")
    image = image.resize((scaled[0], scaled[1]), Image.Resampling.BILINEAR)
    left, top = round((image.width - width) / 2), round((image.height - height) / 2)
    return image.crop((left, top, left + width, top + height))  # beyond the edge: black
