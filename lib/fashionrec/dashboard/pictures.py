"""Pictures for the page, drawn anew: nothing of an uploaded or catalogued file is sent as it is."""

import io

from PIL import Image, ImageDraw, ImageOps

from fashionrec.ingest.pictures import Limits, UnusableError, examine_picture
from fashionrec.settings import IngestSettings

SIZE = (240, 320)
_POINT = (48, 64)


def tile(content: bytes, size: tuple[int, int] = SIZE) -> bytes:
    """Return a picture as a JPEG of one size, whole, on white."""
    with Image.open(io.BytesIO(content)) as image:
        image.draft("RGB", (2 * size[0], 2 * size[1]))
        upright = ImageOps.exif_transpose(image).convert("RGBA")
    white = Image.new("RGBA", upright.size, "white")
    whole = Image.alpha_composite(white, upright).convert("RGB")
    buffer = io.BytesIO()
    ImageOps.pad(whole, size, Image.Resampling.LANCZOS, color="white").save(
        buffer, "JPEG", quality=88
    )
    return buffer.getvalue()


def favicon() -> Image.Image:
    """Draw the page's icon: Streamlit's own come from another site."""
    icon = Image.new("RGBA", (64, 64))
    draw = ImageDraw.Draw(icon)
    draw.rounded_rectangle((0, 0, 63, 63), 14, fill="#3b6fd4")
    draw.polygon([(22, 14), (42, 14), (38, 28), (50, 52), (14, 52), (26, 28)], fill="white")
    return icon


def point(content: bytes) -> bytes:
    """Return a picture as a JPEG small enough that a map can hold thousands."""
    return tile(content, _POINT)


def refusal(content: bytes, settings: IngestSettings) -> str | None:
    """Return why a picture from outside is not accepted, by the rules of a night; None: it is."""
    if len(content) > settings.max_bytes:
        return f"more than {settings.max_bytes:,} bytes"
    try:
        examine_picture(content, Limits(settings.max_pixels, settings.max_bytes))
    except UnusableError as error:
        return str(error)
    return None
