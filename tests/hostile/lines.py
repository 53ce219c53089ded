"""Bad lines and headers of styles.csv and images.csv."""

import os
from pathlib import Path

from corpus import Case, holes

from fashionrec.ingest.styles import COLUMNS

HEADER = ",".join(COLUMNS).encode()
LINKS_HEADER = b"filename,link"
_NO_ID = "the id is no whole number below 2\\^63"
_NO_YEAR = "no four-digit year"
_REST = b",Men,Apparel,Topwear,Shirts,Blue,Fall,%s,Casual,name"


def _line(product_id: bytes, year: bytes = b"2012") -> bytes:
    return product_id + _REST % year


_IDS = {
    "negative": b"-1",
    "plus": b"+1",
    "fraction": b"1.0",
    "exponent": b"1e3",
    "hexadecimal": b"0x1F",
    "underscore": b"1_000",
    "word": b"one",
    "nan": b"NaN",
    "infinity": b"inf",
    "none": b"",
    "blank": b"   ",
    "quoted nothing": b'""',
    "two to the 63": b"9223372036854775808",
    "forty digits": b"9" * 40,
    "a million digits": b"9" * 1_000_000,
    "Arabic digits": "١٢٣".encode(),
    "superscript": "1²".encode(),
    "full-width digits": "１２".encode(),
    "zero-width space": "1\u200b".encode(),
    "null character": b"1\x001",
    "formula": b"=1+1",
    "SQL": b"1;DROP TABLE products",
    "path": b"../1",
    "escape sequence": b"\x1b[31m1",
    "right-to-left mark": "\u202e1".encode(),
}
_YEARS = {
    "two digits": b"12",
    "five digits": b"20123",
    "negative": b"-201",
    "word": b"soon",
    "another half": b"2012.5",
    "date": b"2012-01-01",
    "exponent": b"2e3",
    "Arabic digits": "٢٠١٢".encode(),
    "letter o": b"2O12",
    "a hundred thousand digits": b"2" * 100_000,
    "null character": b"20\x0012",
    "apostrophe": b"'2012",
}
_BROKEN = {
    "lone latin-1": (b"7,Men,caf\xe9" + b"," * 7, "not UTF-8"),
    "overlong UTF-8": (b"7,\xc0\xaf" + b"," * 8, "not UTF-8"),
    "surrogate in UTF-8": (b"7,\xed\xa0\x80" + b"," * 8, "not UTF-8"),
    "beyond Unicode": (b"7,\xf4\x90\x80\x80" + b"," * 8, "not UTF-8"),
    "UTF-16": ("7,Men".encode("utf-16"), "not UTF-8"),
    "gzip": (b"\x1f\x8b\x08\x00abc", "not UTF-8"),
    "one field": (b"7", "1 fields, the header has 10"),
    "nine fields": (b"7" + b"," * 8, "9 fields, the header has 10"),
    "semicolons": (b"7;Men;Apparel;Topwear;Shirts;Blue;Fall;2012;Casual;name", "1 fields"),
    "tabs": (b"7\tMen\tApparel", "1 fields"),
    "a quote for all": (b'"7,Men,Apparel,Topwear,Shirts,Blue,Fall,2012,Casual,name"', "1 fields"),
    "a quote that never ends": (b'"', "1 fields"),
    "null characters": (bytes(200), "1 fields"),
    "carriage returns alone": (b"\r7\r8\r9,", "2 fields"),
    "HTML": (b"<html><body>404</body></html>", "1 fields"),
    "JSON": (b'{"id": 7}', "1 fields"),
    "a million commas": (b"," * 1_000_000, _NO_ID),
    "a million quotes": (b'"' * 1_000_000, "1 fields"),
    "a megabyte and no comma": (b"x" * 1_000_000, "1 fields"),
}
LINES = [
    *(Case(f"id: {name}", _line(text), _NO_ID) for name, text in _IDS.items()),
    *(Case(f"year: {name}", _line(b"7", year), _NO_YEAR) for name, year in _YEARS.items()),
    *(Case(f"line: {name}", content, says) for name, (content, says) in _BROKEN.items()),
]


def _circle(path: Path) -> None:
    path.symlink_to(path.name)


_GOOD = b"\n" + _line(b"1")
STYLES = [
    Case("empty", b"", "is empty"),
    Case("blank lines", b"\n \n\t\n", "is empty"),
    Case("byte-order mark alone", b"\xef\xbb\xbf", "is empty"),
    Case("no header", _line(b"1"), r"the header lacks \[id"),
    Case("UTF-16", (HEADER + _GOOD).decode().encode("utf-16"), "is not UTF-8"),
    Case("latin-1 header", b"caf\xe9," + HEADER, "is not UTF-8"),
    Case("a column less", HEADER.replace(b",usage", b""), r"lacks \[usage\]"),
    Case("a column twice", HEADER + b",id" + _GOOD, r"has \[id\] more than once"),
    Case("other letters", HEADER.upper() + _GOOD, r"the header lacks \[id"),
    Case("semicolons", HEADER.replace(b",", b";"), r"the header lacks \[id"),
    Case("tabs", HEADER.replace(b",", b"\t"), r"the header lacks \[id"),
    Case("zip", b"PK\x03\x04" + HEADER, "lacks"),
    Case("parquet", b"PAR1" + bytes(100), "lacks"),
    Case("HTML", b"<!DOCTYPE html>\n<html></html>", "lacks"),
    Case("a million columns", b"a," * 1_000_000, "lacks"),
    Case("ten gigabytes and no line", holes(10 << 30), "line of more than 16,777,216 bytes"),
    Case("a line without an end", holes(10 << 30, HEADER + _GOOD + b"\n"), "line of more than"),
    Case("a folder", lambda path: path.mkdir(), "has no styles.csv"),
    Case("a pipe", os.mkfifo, "has no styles.csv"),
    Case("a link to nowhere", lambda path: path.symlink_to("none"), "has no styles.csv"),
    Case("a link in a circle", _circle, "has no styles.csv"),
    Case("a device", lambda path: path.symlink_to("/dev/zero"), "has no styles.csv"),
]
_NO_FILE = "leads to no file"
_OUT = "leads out of the catalogue's folder"
LINKS = [
    Case("one field", b"2.jpg", "1 fields, the header has 2"),
    Case("not UTF-8", b"2.jpg,\xff", "not UTF-8"),
    Case("no id", b"two.jpg,1.jpg", "the file's name is no product id"),
    Case("no name", b",1.jpg", "the file's name is no product id"),
    Case("dots", b"..,1.jpg", "the file's name is no product id"),
    Case("a huge id", b"9" * 50 + b".jpg,1.jpg", "the file's name is no product id"),
    Case("no link", b"2.jpg,", "no link"),
    Case("blank link", b"2.jpg,   ", "no link"),
    Case("absolute", b"2.jpg,/etc/passwd", _OUT),
    Case("upwards", b"2.jpg,../../../../../../etc/passwd", _OUT),
    Case("down and upwards", b"2.jpg,images/../../outside.jpg", _OUT),
    Case("through a link", b"2.jpg,way-out/outside.jpg", _OUT),
    Case("the folder itself", b"2.jpg,.", "not a regular file"),
    Case("a device", b"2.jpg,/dev/zero", _OUT),
    Case("a process", b"2.jpg,/proc/self/environ", _OUT),
    Case("null character", b"2.jpg,a\x00b", _NO_FILE),
    Case("a name of a megabyte", b"2.jpg," + b"a" * 1_000_000, _NO_FILE),
    Case("a deep path", b"2.jpg," + b"a/" * 100_000, _NO_FILE),
    Case("nowhere", b"2.jpg,none.jpg", _NO_FILE),
    Case("itself", b"2.jpg,images.csv", "not an image"),
    Case("home", b"2.jpg,~/.ssh/id_rsa", _NO_FILE),
    Case("variable", b"2.jpg,$HOME/x", _NO_FILE),
    Case("command", b"2.jpg,$(id)", _NO_FILE),
    Case("a million commas", b"," * 1_000_000, "the file's name is no product id"),
]
LINK_FILES = [
    Case("links: empty", b"", "is empty"),
    Case("links: no column link", b"filename,url\n", r"the header lacks \[link\]"),
    Case("links: ten gigabytes and no line", holes(10 << 30), "line of more than"),
    Case(
        "links: a line without an end",
        holes(10 << 30, LINKS_HEADER + b"\n1.jpg,x"),
        "line of more than",
    ),
    Case("links: not UTF-8", b"\xff\xfe", "is not UTF-8"),
]
