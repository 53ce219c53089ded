"""Bad tar shards, and members that would leave their tar."""

import bz2
import gzip
import lzma
import os
import tarfile
import zipfile
from pathlib import Path

from corpus import Case, holes
from pictures import JPEG

_BLOCK = 512
_END = bytes(2 * _BLOCK)
_DAMAGED, _IRREGULAR = "damaged tar", "not a regular file"
_BETWEEN = "damaged tar: more than 16,777,216 bytes"


def header(
    name: str = "2.jpg", kind: bytes = tarfile.REGTYPE, size: int = 0, linkname: str = ""
) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, linkname
    return info.tobuf(tarfile.GNU_FORMAT)


def sealed(block: bytes) -> bytes:
    """A header with the checksum that it should have."""
    blank = block[:148] + b" " * 8 + block[156:]
    return blank[:148] + b"%06o\0 " % sum(blank) + blank[156:]


def with_size(size: bytes, block: bytes | None = None) -> bytes:
    block = header() if block is None else block
    return sealed(block[:124] + size.ljust(12, b"\0") + block[136:])


def padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % _BLOCK)


def member(name: str, content: bytes) -> bytes:
    return header(name, size=len(content)) + padded(content)


def pax(records: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    return header("pax", kind, len(records)) + padded(records)


def record(key: str, value: str) -> bytes:
    text = f" {key}={value}\n".encode()
    length = len(text)
    while len(str(length)) + len(text) != length:
        length = len(str(length)) + len(text)
    return str(length).encode() + text


def _named(name: str) -> bytes:
    """A tar with one member, which is no picture; GNU's form of a long name."""
    text = name.encode()
    return (
        header("@", tarfile.GNUTYPE_LONGNAME, len(text)) + padded(text) + member("x", b"x") + _END
    )


def _zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("2.jpg", JPEG)


_GOOD = member("3.jpg", JPEG)
_TAR = _GOOD + _END
_HUGE = {"octal": b"77777777777", "to the 62": b"\x80\0\0\0" + (1 << 62).to_bytes(8, "big")}
_KINDS = {
    "symbolic link": tarfile.SYMTYPE,
    "hard link": tarfile.LNKTYPE,
    "character device": tarfile.CHRTYPE,
    "block device": tarfile.BLKTYPE,
    "pipe": tarfile.FIFOTYPE,
}
_SPARSE_OF_PAX = {
    "0.0": record("GNU.sparse.size", "1000000000000") + record("GNU.sparse.numblocks", "1"),
    "0.1": record("GNU.sparse.map", "0,1,2,3") + record("GNU.sparse.size", "1000000000000"),
    "1.0": record("GNU.sparse.major", "1") + record("GNU.sparse.minor", "0"),
}
# Their content is no picture, and what they point to is one: who follows them finds no fault.
_NAMES = {
    "upwards": "../outside.jpg",
    "far upwards": "../" * 40 + "etc/passwd",
    "absolute": "/etc/passwd",
    "of a product, upwards": "images/../../2.jpg",
    "backslashes": "..\\..\\2.jpg",
    "a drive": "C:\\2.jpg",
    "a device": "/dev/stdin",
    "a million characters": "a/" * 500_000 + "2.jpg",
    "escape sequences": "\x1b[2J2.jpg",
    "line ends": "2\n.jpg",
    "right to left": "\u202egpj.2",
    "a URL": "http://example.com/2.jpg",
    "exclamation marks": "images.tar!2.jpg!3.jpg",
}
TARS = [
    Case("tar: empty", b"", _DAMAGED),
    Case("tar: one byte", b"x", _DAMAGED),
    Case("tar: text", b"no tar" * 1000, _DAMAGED),
    Case("tar: gzip", gzip.compress(_TAR), _DAMAGED),
    Case("tar: bzip2", bz2.compress(_TAR), _DAMAGED),
    Case("tar: xz", lzma.compress(_TAR), _DAMAGED),
    Case("tar: zip", _zipped, _DAMAGED),
    Case("tar: a picture", JPEG * 20, _DAMAGED),
    Case("tar: wrong checksum", _GOOD + header()[:-9] + b"x" * 9 + _END, _DAMAGED),
    Case("tar: garbage between", _GOOD + b"\xff" * _BLOCK + _TAR, _DAMAGED),
    Case("tar: zeros between", _GOOD + _END + _TAR, _DAMAGED),
    Case("tar: cut in a header", _GOOD + header()[:100], _DAMAGED),
    Case("tar: cut in a picture", member("2.jpg", JPEG)[:700], "truncated"),
    Case("tar: size of letters", _GOOD + with_size(b"zzzzzzzzzzz"), _DAMAGED),
    Case("tar: negative size", _GOOD + with_size(b"\xff" * 12), _DAMAGED),
    *(Case(f"tar: size {n}", with_size(s) + JPEG, "more than|damaged") for n, s in _HUGE.items()),
    *(
        Case(f"tar: {name}", header(kind=kind, linkname="../outside.jpg") + _END, _IRREGULAR)
        for name, kind in _KINDS.items()
    ),
    Case("tar: sparse", header(kind=tarfile.GNUTYPE_SPARSE) + _END, _IRREGULAR),
    *(
        Case(f"tar: sparse of pax {version}", pax(records) + member("2.jpg", b"9\n"), "damaged|reg")
        for version, records in _SPARSE_OF_PAX.items()
    ),
    *(Case(f"tar: name {name}", _named(text), "not an image") for name, text in _NAMES.items()),
    Case("tar: long name of 8 GB", holes(9 << 30, header("x", b"L", 8 << 30)), _BETWEEN),
    Case("tar: long link of 8 GB", holes(9 << 30, header("x", b"K", 8 << 30)), _BETWEEN),
    Case("tar: pax of 8 GB", holes(9 << 30, header("x", b"x", 8 << 30)), _BETWEEN),
    Case("tar: global pax of 8 GB", holes(9 << 30, header("x", b"g", 8 << 30)), _BETWEEN),
    Case("tar: pax of Solaris of 8 GB", holes(9 << 30, header("x", b"X", 8 << 30)), _BETWEEN),
    Case("tar: a terabyte of zeros", holes(1 << 40, _GOOD), _BETWEEN),
    Case("tar: thousands of long names", (header("x", b"L", 1) + bytes(_BLOCK)) * 3000, _DAMAGED),
    Case("tar: thousands of pax headers", pax(record("a", "b")) * 3000 + _TAR, _DAMAGED),
    Case("tar: long name and no member", header("x", b"L", 3) + padded(b"2.j"), _DAMAGED),
    Case("tar: pax and no member", pax(record("path", "2.jpg")), _DAMAGED),
    Case("tar: pax of length 0", pax(b"0 path=x\n") + _TAR, _DAMAGED),
    Case("tar: pax of size -1", pax(record("size", "-1")) + _TAR, _DAMAGED),
    Case("tar: pax of size 10 to the 30", pax(record("size", "1" + "0" * 30)) + _TAR, _DAMAGED),
    Case("tar: pax of size in words", pax(record("size", "big")) + _TAR[:-_BLOCK], "damaged|image"),
    Case("tar: a folder", lambda path: path.mkdir(), _IRREGULAR),
    Case("tar: a pipe", os.mkfifo, _IRREGULAR),
    Case("tar: a device", lambda path: path.symlink_to("/dev/zero"), _IRREGULAR),
    Case("tar: a link to nowhere", lambda path: path.symlink_to("none"), "cannot be read"),
    Case("tar: a link in a circle", lambda path: path.symlink_to(path.name), "cannot be read"),
]
