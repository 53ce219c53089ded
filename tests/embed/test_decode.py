import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision import transforms

from fashionrec.embed.decode import as_pixels
from fashionrec.embed.preprocessing import Preprocessing

STRETCH = Preprocessing(
    height=96, width=72, resize="stretch", mean=(0, 0, 0), std=(1, 1, 1)
)  # fmt: skip
STUDY = Preprocessing(
    height=224, width=224, resize="shorter_side", shorter_side=256, mean=(0, 0, 0), std=(1, 1, 1)
)


def noise(size: tuple[int, int], mode: str = "RGB", seed: int = 0) -> Image.Image:
    bands = len(Image.new(mode, (1, 1)).getbands())
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], bands), dtype=np.uint8)
    return Image.fromarray(pixels.squeeze(), mode).resize(size)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("size", [(60, 80), (53, 80), (80, 60), (300, 300), (257, 511), (20, 400)])
def test_the_study_transform_is_torchvisions(size: tuple[int, int]) -> None:
    image = noise(size)
    wanted = transforms.CenterCrop(224)(transforms.Resize(256)(image))
    assert np.array_equal(as_pixels(encoded(image), STUDY), np.asarray(wanted))


def test_stretch_ignores_proportions() -> None:
    image = noise((60, 80))
    wanted = transforms.Resize((96, 72))(image)
    assert np.array_equal(as_pixels(encoded(image), STRETCH), np.asarray(wanted))


def test_pictures_of_the_catalogue_are_torchvisions(catalogue: Path) -> None:
    paths = sorted((catalogue / "images").glob("*.jpg"))[:20]
    compared = 0
    for path in paths:
        try:
            image = Image.open(path)
            image.load()
        except OSError:
            continue
        if image.mode == "RGB" and not image.getexif():
            wanted = transforms.CenterCrop(224)(transforms.Resize(256)(image))
            assert np.array_equal(as_pixels(path.read_bytes(), STUDY), np.asarray(wanted))
            compared += 1
    assert compared >= 10


@pytest.mark.parametrize("mode", ["L", "CMYK", "P", "1"])
def test_other_modes_become_rgb(mode: str) -> None:
    image = noise((60, 80)).convert(mode)
    content = encoded(image, "JPEG" if mode == "CMYK" else "PNG")
    wanted = transforms.Resize((96, 72))(Image.open(io.BytesIO(content)).convert("RGB"))
    assert np.array_equal(as_pixels(content, STRETCH), np.asarray(wanted))


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_transparency_is_white(kind: str) -> None:
    image = Image.new("RGBA", (30, 40), (0, 0, 0, 0))
    assert (as_pixels(encoded(image, kind), STRETCH) == 255).all()


def test_sixteen_bit_greyscale_keeps_its_shades() -> None:
    image = Image.fromarray(np.full((40, 30), 128 * 256, np.uint16))
    assert (as_pixels(encoded(image), STRETCH) == 128).all()


def test_exif_turns_the_picture_upright() -> None:
    image = Image.new("RGB", (80, 60), "white")
    image.paste("black", (0, 0, 40, 60))  # left half black
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter clockwise: the left becomes the top
    pixels = as_pixels(encoded(image, "JPEG", exif=exif), STRETCH)
    assert pixels[:40].mean() < 20
    assert pixels[56:].mean() > 235


def test_reduced_decoding_changes_little() -> None:
    smooth = noise((9, 12)).resize((1800, 2400), Image.Resampling.BICUBIC)
    content = encoded(smooth, "JPEG", quality=90)
    full = np.asarray(
        Image.open(io.BytesIO(content)).resize((72, 96), Image.Resampling.BILINEAR), np.float32
    )
    assert np.abs(as_pixels(content, STRETCH) - full).mean() < 1.0
