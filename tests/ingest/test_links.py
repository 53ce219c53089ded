"""images.csv line by line: which lines are links, which are needed, and where they lead."""

import os
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from fashionrec.errors import FashionrecError
from fashionrec.ingest import linked, links
from fashionrec.ingest.entries import LINK, Entry
from fashionrec.ingest.frames import as_entry
from fashionrec.ingest.links import Link, known_link, read_links
from fashionrec.paths import at

NO_ID = "the file's name is no product id"
OUTSIDE = "the link leads out of the catalogue's folder"
NO_FILE = "the link leads to no file (No such file or directory)"


def written(folder: Path, content: bytes | str) -> Path:
    data = content.encode() if isinstance(content, str) else content
    (folder / "images.csv").write_bytes(data)
    return folder


def links_of(folder: Path, content: bytes | str) -> list[Link]:
    return list(read_links(written(folder, content)))


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"], ids=["plain", "bom"])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"], ids=["lf", "crlf"])
def test_links_are_read_by_the_names_of_the_header(
    tmp_path: Path, bom: bytes, ending: bytes
) -> None:
    lines = [
        b"note, link ,filename",
        b"x,http://a.example/1.jpg,1.jpg",
        b"",
        b'"x,y","a ""b"".png",02.png',
        b"x, c/3 , photos/3.webp ",
        b"x,,4",
        b"x,http://a.example/w_1,h_2/5.jpg,5.jpg",
    ]
    assert links_of(tmp_path, bom + ending.join(lines) + ending) == [
        Link(2, "http://a.example/1.jpg", 1),
        Link(4, 'a "b".png', 2),
        Link(5, "c/3", 3),
        Link(6, "", 4),
        Link(7, "http://a.example/w_1,h_2/5.jpg", 5),
    ]


def test_a_line_that_cannot_be_read_has_a_reason(tmp_path: Path) -> None:
    content = b'filename,link\n1.jpg\nx.jpg,a\n,a\ncaf\xe9,a\n-1.jpg,a\n"1.jpg,a\n2.jpg,"b\n3.jpg,c'
    assert links_of(tmp_path, content) == [
        Link(2, "1.jpg", None, "1 fields, the header has 2"),
        Link(3, "x.jpg,a", None, NO_ID),
        Link(4, ",a", None, NO_ID),
        Link(5, "caf\\xe9,a", None, "not UTF-8"),
        Link(6, "-1.jpg,a", None, NO_ID),
        Link(7, '"1.jpg,a', None, NO_ID),
        Link(8, '"b', 2),
        Link(9, "c", 3),
    ]


def test_without_images_csv_there_are_no_links(tmp_path: Path) -> None:
    assert list(read_links(tmp_path)) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; it needs a header with filename, link"),
        (b"filename,url\n", "the header lacks [link]; it has [filename, url]"),
        (b"link,link,filename\n", "the header has [link] more than once"),
        (b"filen\xe4me,link\n", "the header is not UTF-8: save it as UTF-8"),
    ],
)
def test_a_header_that_cannot_do_is_an_error(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(FashionrecError) as raised:
        links_of(tmp_path, content)
    assert str(raised.value) == f"{tmp_path / 'images.csv'}: {message}"


def needed(
    spark: SparkSession, folder: Path, content: str, fetch_links: bool = False
) -> list[Entry]:
    """The entries that are needed of the links of three products, in the order of lines."""
    links = linked.links_of(spark, written(folder, "filename,link\n" + content))
    products = spark.createDataFrame([(1,), (2,), (3,)], "product_id BIGINT")
    checks = {LINK: "limits"}
    entries = linked.needed_entries(links, products, folder, checks, fetch_links=fetch_links)
    rows = entries.collect()
    assert {row.checks for row in rows} <= {"limits"}
    return sorted((as_entry(row.asDict()) for row in rows), key=lambda entry: entry.line or 0)


def test_only_links_of_the_products_are_needed(spark: SparkSession, tmp_path: Path) -> None:
    content = "1.jpg,a\n4.jpg,b\n2.jpg,a\n1.png,c\n1.jpg,a\n3.jpg,http://a.example/3.jpg\n"
    local = [(2, "a"), (4, "a"), (5, "c")]
    found = needed(spark, tmp_path, content)
    assert [(entry.line, entry.raw) for entry in found] == local
    found = needed(spark, tmp_path, content, fetch_links=True)
    assert [(e.line, e.raw) for e in found] == [*local, (7, "http://a.example/3.jpg")]


@pytest.mark.parametrize("url", ["HTTPS://a", "ftp://a/b", "file:///etc/passwd", "s3://b/k"])
def test_a_url_of_any_scheme_is_no_path(spark: SparkSession, tmp_path: Path, url: str) -> None:
    assert needed(spark, tmp_path, f"1.jpg,{url}\n") == []
    (entry,) = needed(spark, tmp_path, f"1.jpg,{url}\n", fetch_links=True)
    assert entry == Entry(f"images.csv!1!{url}", LINK, 1, 0, 0, archive=url, line=2, raw=url)


def entry_of(folder: Path, link: str) -> Entry:
    return links.entry_of(folder, known_link(f"images.csv!1!{link}"))


def test_links_in_an_object_store_are_looked_at_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    others = Barrier(8)

    def look(_: Path, link: str) -> tuple[str, int, int, str | None]:
        others.wait(timeout=10)
        return f"photos/{link}", len(link), 0, None

    monkeypatch.setattr(links, "_look_at", look)
    wanted = [Link(line, "a" * line, line) for line in range(8)]
    found = links.entries_of(at("s3a://shop/catalogue"), wanted)
    assert [(entry.path, entry.archive, entry.size) for entry in found] == [
        (f"images.csv!{link.line}!{link.raw}", f"photos/{link.raw}", link.line) for link in wanted
    ]


def test_a_local_link_leads_to_a_file_of_the_catalogue(tmp_path: Path) -> None:
    root = tmp_path / "catalogue"
    (root / "photos").mkdir(parents=True)
    file = root / "photos" / "a!b.jpg"
    file.write_bytes(b"12345")
    os.utime(file, ns=(0, 1_700_000_000_123_456_000))
    (root / "alias.jpg").symlink_to("photos/a!b.jpg")
    (tmp_path / "elsewhere").symlink_to(root)
    for link in (
        "photos/a!b.jpg",
        "./photos//a!b.jpg",
        "photos/../alias.jpg",
        "../catalogue/alias.jpg",
        str(file),
        "../elsewhere/alias.jpg",
    ):
        found = entry_of(root, link)
        assert found.path == f"images.csv!1!{link}"
        assert (found.archive, found.problem) == ("photos/a!b.jpg", None)
        assert (found.size, found.mtime) == (5, 1_700_000_000_123_456)
        assert entry_of(tmp_path / "elsewhere", link) == found


def test_a_local_link_leads_nowhere_else(tmp_path: Path) -> None:
    root = tmp_path / "catalogue"
    (root / "photos").mkdir(parents=True)
    (tmp_path / "catalogue-2").mkdir()
    for outside in (tmp_path / "secret.jpg", tmp_path / "catalogue-2" / "secret.jpg"):
        outside.write_bytes(b"secret")
    (root / "link.jpg").symlink_to("../secret.jpg")
    (root / "out").symlink_to(tmp_path)
    (root / "loop").symlink_to("loop")
    (root / "dangling").symlink_to("nowhere.jpg")
    os.mkfifo(root / "pipe.jpg")
    problems = {
        "../secret.jpg": OUTSIDE,
        "../catalogue-2/secret.jpg": OUTSIDE,
        "photos/../../secret.jpg": OUTSIDE,
        "/etc/hostname": OUTSIDE,
        "//etc/hostname": OUTSIDE,
        str(tmp_path / "secret.jpg"): OUTSIDE,
        "link.jpg": OUTSIDE,
        "out/secret.jpg": OUTSIDE,
        "out/../secret.jpg": OUTSIDE,
        "..": OUTSIDE,
        "/": OUTSIDE,
        "": "no link",
        ".": "not a regular file",
        "photos": "not a regular file",
        "pipe.jpg": "not a regular file",
        "undefined": NO_FILE,
        "~/x.jpg": NO_FILE,
        "dangling": NO_FILE,
        "loop": "the link leads to no file",
        "a\0b": "the link leads to no file",
        "x" * 5_000: "the link leads to no file (File name too long)",
    }
    assert {link: entry_of(root, link).problem for link in problems} == problems


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_below_a_header_are_a_link_or_a_reason_for_each_line(
    tmp_path_factory: pytest.TempPathFactory, body: bytes
) -> None:
    folder = tmp_path_factory.mktemp("links")
    links = links_of(folder, b"filename,link\n" + body)
    lines = [i for i, line in enumerate(body.split(b"\n"), 2) if line.strip()]
    assert [link.line for link in links] == lines
    assert all((link.product_id is None) == (link.reason is not None) for link in links)
