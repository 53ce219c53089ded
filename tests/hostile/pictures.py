"""Bad pictures, and bad styles/*.json."""

import io
import json
import os
import struct
import zlib
from typing import Any

from corpus import Case, holes
from PIL import Image


def saved(
    kind: str = "JPEG", size: tuple[int, int] = (64, 48), mode: str = "RGB", **how: Any
) -> bytes:
    stream = io.BytesIO()
    Image.new(mode, size, 128 if mode == "L" else None).save(stream, kind, **how)
    return stream.getvalue()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int = 4, height: int = 4, *chunks: bytes, depth: int = 8, colour: int = 2) -> bytes:
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + _chunk(b"IEND", b"")


def scans(count: int) -> bytes:
    """A progressive JPEG whose last scan stands again and again: hours of work in little room."""
    picture = saved(size=(4000, 4000), mode="L", progressive=True)
    scan = picture[picture.rfind(b"\xff\xda") : -2]
    return picture[:-2] + scan * count + picture[-2:]


def _patched(content: bytes, at: bytes, new: bytes, skip: int = 0) -> bytes:
    place = content.index(at) + skip
    return content[:place] + new + content[place + len(new) :]


JPEG, PNG, WEBP = saved(), saved("PNG"), saved("WEBP")
_BOMB = zlib.compress(bytes(1 << 27))
_FRAME = b"\xff\xc0"  # of a JPEG: length, depth, height and width follow
_TOO_MANY = "more than 50,000,000 pixels"
_BAD = "cannot be decoded|truncated|not an image"
PICTURES = [
    Case("nothing", b"", "empty file"),
    Case("one byte", b"\xff", "not an image"),
    Case("text", b"a shirt", "not an image"),
    Case("zeros", bytes(100_000), "not an image"),
    Case("HTML", b"<html>404</html>", "not an image"),
    Case("SVG", b'<svg xmlns="http://www.w3.org/2000/svg"/>', "not an image"),
    Case("PostScript", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not accepted|not an"),
    Case("PDF", b"%PDF-1.4\n", "not an image"),
    Case("ZIP", b"PK\x03\x04" + bytes(100), "not an image"),
    Case("ELF", b"\x7fELF" + bytes(100), "not an image"),
    Case("pickle", b"\x80\x04cos\nsystem\n(S'id'\ntR.", "not an image"),
    Case("JPEG's first bytes", JPEG[:3], _BAD),
    Case("JPEG's end alone", b"\xff\xd8\xff\xd9", _BAD),
    Case(
        "JPEG without a frame", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(9) + b"\xff\xd9", _BAD
    ),
    Case("JPEG cut in half", JPEG[: len(JPEG) // 2], _BAD),
    Case("JPEG without its last bytes", saved(size=(400, 400))[:-60], _BAD),
    Case("JPEG of no width", _patched(JPEG, _FRAME, b"\0\0", 7), _BAD),
    Case("JPEG of no height", _patched(JPEG, _FRAME, b"\0\0", 5), _BAD),
    Case("JPEG of 65,500 squared", _patched(JPEG, _FRAME, b"\xff\xdc\xff\xdc", 5), _TOO_MANY),
    Case("JPEG of 200 components", _patched(JPEG, _FRAME, b"\xc8", 9), _BAD),
    Case("JPEG of 12 bits", _patched(JPEG, _FRAME, b"\x0c", 4), _BAD),
    Case("lossless JPEG", _patched(JPEG, _FRAME, b"\xff\xc3"), _BAD),
    Case("arithmetic JPEG cut", _patched(JPEG, _FRAME, b"\xff\xc9")[:300], _BAD),
    Case("JPEG without tables", JPEG.replace(b"\xff\xdb", b"\xff\xfe"), _BAD),
    Case("JPEG with segments of no length", b"\xff\xd8" + b"\xff\xe1\0\0" * 9, _BAD),
    Case("JPEG of ten thousand scans", scans(10_000), "more than 100 scans"),
    Case("progressive JPEG cut", saved(size=(99, 99), progressive=True)[:-30], _BAD),
    Case("JPEG 2000", b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(50), "not accepted|not an image"),
    Case("PNG's first bytes", PNG[:8], _BAD),
    Case("PNG without pixels", _png(), _BAD),
    Case("PNG cut in half", PNG[: len(PNG) // 2], _BAD),
    Case("PNG of no width", _png(0, 4), _BAD),
    Case("PNG of 4 billion squared", _png(2**32 - 1, 2**32 - 1), _TOO_MANY),
    Case("PNG of 2 billion squared", _png(2**31 - 1, 2**31 - 1), _TOO_MANY),
    Case("PNG of one long line", _png(60_000_000, 1), _TOO_MANY),
    Case("PNG of one high column", _png(1, 60_000_000), _TOO_MANY),
    Case("PNG of a depth that is none", _png(depth=7), _BAD),
    Case("PNG of a colour that is none", _png(colour=9), _BAD),
    Case("PNG with a wrong checksum", _patched(PNG, b"IDAT", b"\xff\xff", 6), _BAD),
    Case("PNG whose pixels are no zlib", _png(4, 4, _chunk(b"IDAT", b"no zlib")), _BAD),
    Case("PNG with an endless chunk", PNG[:33] + b"\xff\xff\xff\xffIDAT", _BAD),
    Case("PNG: a profile of 128 MB", _png(4, 4, _chunk(b"iCCP", b"x\0\0" + _BOMB)), "too large"),
    Case("PNG with a text of 128 MB", _png(4, 4, _chunk(b"zTXt", b"x\0\0" + _BOMB)), "too large"),
    Case(
        "PNG with more text of 128 MB",
        _png(4, 4, _chunk(b"iTXt", b"x\0\1\0\0\0" + _BOMB)),
        "too large",
    ),
    Case("PNG of fewer pixels than it says", _png(4, 4, _chunk(b"IDAT", zlib.compress(b""))), _BAD),
    Case(
        "PNG with a palette that is too long",
        _png(4, 4, _chunk(b"PLTE", bytes(3000)), colour=3),
        _BAD,
    ),
    Case("WebP's first bytes", WEBP[:12], _BAD),
    Case("WebP cut in half", WEBP[: len(WEBP) // 2], _BAD),
    Case("WebP of no pixels", b"RIFF\x0c\0\0\0WEBPVP8 \0\0\0\0", _BAD),
    Case("WebP of 16,383 squared", b"RIFF\x16\0\0\0WEBPVP8L\x0a\0\0\0\x2f" + b"\xff" * 9, _BAD),
    Case("GIF", saved("GIF"), "format GIF is not accepted"),
    Case("BMP", saved("BMP"), "format BMP is not accepted"),
    Case("TIFF", saved("TIFF"), "format TIFF is not accepted"),
    Case("ICO", saved("ICO"), "format ICO is not accepted"),
    Case("TIFF in a circle", b"II*\0\x08\0\0\0\0\0\x08\0\0\0", "not accepted|not an image"),
    Case("AVIF", b"\0\0\0\x1cftypavif" + bytes(40), "not accepted|not an image|cannot"),
    Case("over the limit of bytes", holes(40 << 20, JPEG), "more than 33,554,432 bytes"),
    Case("a terabyte", holes(1 << 40), "more than 33,554,432 bytes"),
    Case("a pipe", os.mkfifo, "not a regular file"),
    Case("a link to a device", lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
    Case("a link to nowhere", lambda path: path.symlink_to("none"), "cannot be read"),
    Case("a link in a circle", lambda path: path.symlink_to(path.name), "cannot be read"),
]


def _data(**values: object) -> bytes:
    return json.dumps({"data": values}).encode()


_NOT_JSON, _NO_DATA, _NO_NUMBER = "not JSON in UTF-8", 'no object with "data"', "unreadable price"
_DOCUMENTS = {
    "nothing": (b"", _NOT_JSON),
    "blank": (b" \n", _NOT_JSON),
    "byte-order mark alone": (b"\xef\xbb\xbf", _NOT_JSON),
    "cut": (b'{"data": {"price": 5', _NOT_JSON),
    "two documents": (b'{"data": {}}{"data": {}}', _NOT_JSON),
    "trailing comma": (b'{"data": {},}', _NOT_JSON),
    "apostrophes": (b"{'data': {}}", _NOT_JSON),
    "comment": (b'{"data": {}} // x', _NOT_JSON),
    "UTF-16": ('{"data": {}}'.encode("utf-16"), _NOT_JSON),
    "UTF-32": ('{"data": {}}'.encode("utf-32"), _NOT_JSON),
    "latin-1": (b'{"data": {"brandName": "caf\xe9"}}', _NOT_JSON),
    "surrogate in UTF-8": (b'{"data": {"brandName": "\xed\xa0\x80"}}', _NOT_JSON),
    "control character": (b'{"data": {"brandName": "\x01"}}', _NOT_JSON),
    "endless text": (b'{"data": {"brandName": "' + b"x" * 1_000_000, _NOT_JSON),
    "deep lists": (b'{"data":' + b"[" * 1_000_000, _NOT_JSON),
    "deep objects": (b'{"data":{"a":' * 200_000, _NOT_JSON),
    "a number of a million digits": (b'{"data": {"price": ' + b"9" * 1_000_000 + b"}}", _NOT_JSON),
    "YAML": (b"data:\n  price: 5\n", _NOT_JSON),
    "gzip": (b"\x1f\x8b\x08", _NOT_JSON),
    "null": (b"null", _NO_DATA),
    "number": (b"1", _NO_DATA),
    "list": (b'[{"data": {}}]', _NO_DATA),
    "text": (b'"data"', _NO_DATA),
    "no data": (b"{}", _NO_DATA),
    "data is null": (b'{"data": null}', _NO_DATA),
    "data is a list": (b'{"data": [1]}', _NO_DATA),
    "data is a text": (b'{"data": "x"}', _NO_DATA),
    "other letters": (b'{"Data": {}}', _NO_DATA),
    "half a million lists": (b'{"data":null,"x":[' + b"[]," * 500_000 + b"1]}", _NO_DATA),
    "price NaN": (b'{"data": {"price": NaN}}', _NO_NUMBER),
    "price Infinity": (b'{"data": {"price": -Infinity}}', _NO_NUMBER),
    "price beyond doubles": (b'{"data": {"price": "1e999"}}', _NO_NUMBER),
    "price true": (_data(price=True), _NO_NUMBER),
    "price list": (_data(price=[1]), _NO_NUMBER),
    "price object": (_data(price={"a": 1}), _NO_NUMBER),
    "price in words": (_data(price="free"), _NO_NUMBER),
    "price with a comma": (_data(price="1,000"), _NO_NUMBER),
    "price hexadecimal": (_data(price="0x10"), _NO_NUMBER),
    "price in Arabic": (_data(price="١٢"), _NO_NUMBER),
    "brand of number": (_data(brandName=5), "unreadable brand"),
    "brand of list": (_data(brandName=["a"]), "unreadable brand"),
    "age group of object": (_data(ageGroup={"a": "b"}), "unreadable age_group"),
}
DETAILS = [
    *(Case(f"json: {name}", content, says) for name, (content, says) in _DOCUMENTS.items()),
    Case("json: over the limit", holes(40 << 20, b"{"), "more than 33,554,432 bytes"),
    Case("json: a pipe", os.mkfifo, "not a regular file"),
    Case("json: a link to nowhere", lambda path: path.symlink_to("none"), "cannot be read"),
]
