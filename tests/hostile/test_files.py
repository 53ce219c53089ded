"""Every bad file of a catalogue has its reason, without Spark, and harms no good file."""

import re
from pathlib import Path

import pytest
from corpus import Case, bounded, each
from lines import HEADER, LINES, LINK_FILES, LINKS, LINKS_HEADER, STYLES
from pictures import DETAILS, JPEG, PICTURES
from tars import TARS

from fashionrec.config import load
from fashionrec.errors import FashionrecError
from fashionrec.ingest.csv_lines import line_ranges, read_header
from fashionrec.ingest.entries import Entry
from fashionrec.ingest.examine import Finding, examine_entry
from fashionrec.ingest.links import entry_of, is_wanted, read_links
from fashionrec.ingest.listing import csv_entries, find_styles, list_catalogue
from fashionrec.ingest.pictures import Limits
from fashionrec.ingest.styles import COLUMNS, Record, read_records

GOOD = b"1,Men,Apparel,Topwear,Shirts,Blue,Fall,2012,Casual,name"
SETTINGS = load().ingest
LIMITS = Limits(SETTINGS.max_pixels, SETTINGS.max_bytes)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A catalogue of one good product; a picture lies outside, and a link leads to it."""
    catalogue = tmp_path / "catalogue"
    (catalogue / "images").mkdir(parents=True)
    (catalogue / "styles").mkdir()
    (catalogue / "images" / "1.jpg").write_bytes(JPEG)
    (catalogue / "styles.csv").write_bytes(HEADER + b"\n" + GOOD + b"\n")
    (tmp_path / "outside.jpg").write_bytes(JPEG)
    (catalogue / "way-out").symlink_to(tmp_path)
    return catalogue


def records_of(folder: Path) -> list[Record]:
    path = find_styles(folder)
    head = read_header(path, COLUMNS)
    ranges = line_ranges(path)
    return [r for lines in ranges for r in read_records(path, head, lines, SETTINGS.null_values)]


def findings_of(folder: Path) -> dict[str, Finding]:
    entries: list[Entry] = [*csv_entries(folder), *list_catalogue(folder)]
    return {entry.path: examine_entry(folder, entry, LIMITS) for entry in entries}


def reasons(findings: dict[str, Finding]) -> list[str]:
    """The problems, and the facts that could not be read."""
    return [text for f in findings.values() for text in (f.problem, *f.facts) if text]


def tree(folder: Path) -> dict[Path, int]:
    """Everything below a folder, and when it changed."""
    return {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}


def assert_says(case: Case, said: list[str]) -> None:
    assert any(re.search(case.says, text) for text in said), said


@each(LINES)
def test_a_bad_line_is_a_reject_beside_a_good_one(case: Case, folder: Path) -> None:
    assert isinstance(case.content, bytes)
    (folder / "styles.csv").write_bytes(HEADER + b"\n" + case.content + b"\n" + GOOD + b"\n")
    with bounded():
        bad, good = records_of(folder)[:2]
    assert_says(case, [bad.reason or "", *(cell.reason for cell in bad.cells)])
    assert (good.reason, good.values["product_id"]) == (None, 1)


@each(STYLES)
def test_a_bad_styles_csv_is_one_line(case: Case, folder: Path) -> None:
    (folder / "styles.csv").unlink()
    case.write(folder / "styles.csv")
    with bounded(), pytest.raises(FashionrecError, match=case.says):
        records_of(folder)


@each(LINKS)
def test_a_bad_link_is_a_reject(case: Case, folder: Path) -> None:
    assert isinstance(case.content, bytes)
    (folder / "images.csv").write_bytes(LINKS_HEADER + b"\n" + case.content + b"\n")
    with bounded():
        links = list(read_links(folder))
        said = [link.reason or "" for link in links]
        wanted = (e for e in links if e.product_id == 2 and is_wanted(e, fetch_links=False))
        needed = [entry_of(folder, link) for link in wanted]
        said += [str(examine_entry(folder, entry, LIMITS).problem) for entry in needed]
    assert_says(case, said)


@each(LINK_FILES)
def test_a_bad_images_csv_is_one_line(case: Case, folder: Path) -> None:
    case.write(folder / "images.csv")
    with bounded(), pytest.raises(FashionrecError, match=case.says):
        list(read_links(folder))


@each(PICTURES)
def test_a_bad_picture_is_a_reject(case: Case, folder: Path) -> None:
    case.write(folder / "images" / "2.jpg")
    with bounded():
        findings = findings_of(folder)
    assert_says(case, [findings["images/2.jpg"].problem or ""])
    assert findings["images/1.jpg"].problem is None


@each(DETAILS)
def test_bad_details_are_a_reject(case: Case, folder: Path) -> None:
    case.write(folder / "styles" / "2.json")
    with bounded():
        findings = findings_of(folder)
    found = findings["styles/2.json"]
    assert_says(case, [found.problem or "", *found.facts])


@each(TARS)
def test_a_bad_tar_is_a_reject_and_reads_nothing_outside(case: Case, folder: Path) -> None:
    case.write(folder / "images-7.tar")
    before = tree(folder.parent)
    with bounded():
        findings = findings_of(folder)
    assert_says(case, reasons(findings))
    assert findings["images/1.jpg"].problem is None
    good = [path for path, found in findings.items() if found.facts.get("format")]
    assert set(good) <= {"images/1.jpg", "images-7.tar!3.jpg"}
    assert tree(folder.parent) == before
