"""Pictures: what is accepted, what is refused and why, and any bytes at all."""

import io
import random
import resource
import struct
import time
import zipfile
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fashionrec.ingest.pictures import Limits, UnusableError, examine_picture

pytestmark = pytest.mark.filterwarnings("ignore")  # Pillow's, of bombs and damaged files

LIMITS = Limits(max_pixels=50_000_000, max_bytes=1 << 25)


def encoded(
    kind: str, mode: str = "RGB", size: tuple[int, int] = (17, 13), **options: Any
) -> bytes:
    """A picture of noise, so that it does not compress to a few bytes."""
    noise = Image.frombytes("L", size, random.Random(7).randbytes(size[0] * size[1]))
    picture = Image.new(mode, size, 300) if mode == "I;16" else noise.convert(mode)
    if "A" in mode:
        picture.putalpha(noise)
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def facts(kind: str, mode: str, width: int = 17, height: int = 13) -> dict[str, str]:
    return {"format": kind, "width": str(width), "height": str(height), "mode": mode}


def outcome(content: bytes, limits: Limits = LIMITS) -> dict[str, str] | str:
    """The facts of a picture, or the reason against it."""
    try:
        return examine_picture(content, limits)
    except UnusableError as error:
        return str(error)


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("JPEG", mode) for mode in ("RGB", "L", "CMYK")]
    + [("PNG", mode) for mode in ("RGB", "L", "P", "1", "LA", "RGBA", "I;16")]
    + [("WEBP", mode) for mode in ("RGB", "RGBA")],
)
def test_pictures_of_every_mode_are_accepted(kind: str, mode: str) -> None:
    assert examine_picture(encoded(kind, mode), LIMITS) == facts(kind, mode)


@pytest.mark.parametrize("options", [{"progressive": True}, {"quality": 1}, {"optimize": True}])
def test_jpegs_of_every_coding_are_accepted(options: dict[str, Any]) -> None:
    assert outcome(encoded("JPEG", **options)) == facts("JPEG", "RGB")


def test_a_rotated_picture_has_the_size_that_is_stored() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    assert outcome(encoded("JPEG", exif=exif)) == facts("JPEG", "RGB", 17, 13)


def test_the_first_of_several_pictures_counts() -> None:
    second = Image.new("RGB", (40, 30))
    phone = encoded("MPO", save_all=True, append_images=[second])
    with Image.open(io.BytesIO(phone)) as picture:
        assert picture.format == "MPO"
    assert outcome(phone) == facts("JPEG", "RGB")
    moving = Image.new("RGB", (17, 13))
    assert outcome(encoded("PNG", save_all=True, append_images=[moving])) == facts("PNG", "RGB")
    assert outcome(encoded("WEBP", save_all=True, append_images=[moving])) == facts("WEBP", "RGB")


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "ICO", "PPM", "TGA"])
def test_other_formats_are_refused_by_name(kind: str) -> None:
    assert outcome(encoded(kind)) == f"format {kind} is not accepted: JPEG, PNG and WebP are"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"\0", "not an image"),
        (b"\0" * 10_000, "not an image"),
        (b"<html><body>404 Not Found</body></html>", "not an image"),
        ("कुर्ता".encode(), "not an image"),
        (b"PK\x03\x04", "not an image"),
        (b"PK\x03\x04" + encoded("JPEG"), "not an image"),
        (b"\n" + encoded("PNG"), "not an image"),
        (b"%PDF-1.7\n", "not an image"),
    ],
)
def test_what_is_no_image_is_refused(content: bytes, reason: str) -> None:
    assert outcome(content) == reason


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_what_follows_a_whole_picture_does_not_matter(kind: str) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("x.txt", "x")
    for tail in (b"\0", b"\r\n", archive.getvalue(), encoded("GIF")):
        assert outcome(encoded(kind) + tail) == facts(kind, "RGB")


def test_many_scans_are_refused_and_what_only_looks_like_them_is_not() -> None:
    content = encoded("JPEG", progressive=True)
    start = content.rindex(b"\xff\xda")
    few, many = (content[:start] + content[start:-2] * n + content[-2:] for n in (20, 200))
    assert outcome(few + b"\xff\xda" * 200) == facts("JPEG", "RGB")
    assert outcome(many) == "more than 100 scans"


@pytest.mark.parametrize("options", [{}, {"progressive": True}], ids=["baseline", "progressive"])
def test_a_jpeg_cut_anywhere_is_refused(options: dict[str, Any]) -> None:
    whole = encoded("JPEG", **options)
    scan = whole.index(b"\xff\xda")  # the pixels' part
    for cut in range(1, len(whole)):
        reason = outcome(whole[:cut])
        if cut >= scan + 14:
            assert reason == "truncated image", cut
        else:
            wanted = ("not an image", "truncated image")
            assert reason in wanted or str(reason).startswith("cannot be decoded: "), cut


@pytest.mark.parametrize("cut", [30, 170])
def test_a_jpeg_cut_in_its_header_is_truncated(cut: int) -> None:
    assert outcome(encoded("JPEG")[:cut]) == "truncated image"


def test_a_png_cut_anywhere_in_its_pixels_is_refused() -> None:
    whole = encoded("PNG", size=(60, 80))
    # The last bytes, from the compressed data's end mark on, hold no pixel.
    pixels, end = whole.index(b"IDAT") + 4, len(whole) - 32
    for cut in (*range(1, pixels), *range(pixels, end, 7), end):
        reason = outcome(whole[:cut])
        if cut >= pixels:
            assert reason == "truncated image", cut
        else:
            wanted = ("not an image", "truncated image")
            assert reason in wanted or str(reason).startswith("cannot be decoded: "), cut


def test_a_webp_cut_anywhere_is_refused() -> None:
    whole = encoded("WEBP")
    for cut in range(1, len(whole)):
        reason, wanted = outcome(whole[:cut]), ("not an image", "truncated image")
        assert reason in wanted or str(reason).startswith("cannot be decoded: "), cut


def test_a_png_with_a_damaged_header_is_refused() -> None:
    whole = encoded("PNG")
    damaged = whole[:20] + b"\xff" + whole[21:]  # in the height, which its checksum covers
    assert isinstance(outcome(damaged), str)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def declaring(width: int, height: int) -> bytes:
    """A PNG of less than 100 bytes that declares a size and has hardly any pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(100)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("width", "height"),
    [(60_000, 60_000), (2**31 - 1, 2**31 - 1), (10_000, 10_000), (50_000_001, 1)],
)
def test_a_decompression_bomb_is_refused_unopened(width: int, height: int) -> None:
    kilobytes, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    assert outcome(declaring(width, height)) == "more than 50,000,000 pixels"
    assert time.perf_counter() - start < 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - kilobytes < 50_000


def test_a_limit_above_pillows_own_is_kept() -> None:
    pillows = 2 * 89_478_485
    content = declaring(20_000, 10_000)  # of whose pixels hardly any are there
    assert outcome(content, Limits(pillows + 1, 1)) == "more than 178,956,971 pixels"
    assert outcome(content, Limits(200_000_000, 1)) == "truncated image"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_as_many_pixels_as_the_limit_are_accepted_and_not_one_more(kind: str) -> None:
    content = encoded(kind)
    assert outcome(content, Limits(17 * 13, 1)) == facts(kind, "RGB")
    assert outcome(content, Limits(17 * 13 - 1, 1)) == "more than 220 pixels"


def test_a_format_that_is_not_accepted_is_named_before_its_size() -> None:
    reason = "format GIF is not accepted: JPEG, PNG and WebP are"
    assert outcome(encoded("GIF"), Limits(1, 1)) == reason


MAGICS = [b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"RIFF\x20\0\0\0WEBPVP8 ", b"GIF89a"]
MAGICS += [b"BM", b"II*\0\x08\0\0\0", b"%!PS-Adobe", b"\0\0\x01\0", b"P6 ", b"8BPS", b"DDS "]
WHOLE = {kind: encoded(kind) for kind in ("JPEG", "PNG", "WEBP", "MPO", "TIFF", "GIF")}


def assert_is_examined(content: bytes) -> None:
    """Facts of an accepted format, or a reason: never another error than UnusableError."""
    found = outcome(content, Limits(10_000, 1 << 20))
    if isinstance(found, dict):
        assert list(found) == ["format", "width", "height", "mode"]
        assert found["format"] in ("JPEG", "PNG", "WEBP")
        assert 0 < int(found["width"]) * int(found["height"]) <= 10_000
    else:
        assert found


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(MAGICS), st.binary(max_size=400))
def test_any_bytes_are_examined_without_another_error(magic: bytes, content: bytes) -> None:
    assert_is_examined(magic + content)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(sorted(WHOLE)),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=5),
)
def test_any_damage_is_examined_without_another_error(
    kind: str, changes: list[tuple[int, int]]
) -> None:
    content = bytearray(WHOLE[kind])
    for place, value in changes:
        content[place % len(content)] = value
    assert_is_examined(bytes(content))
