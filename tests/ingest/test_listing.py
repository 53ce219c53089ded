"""Which files a catalogue has: folders, tar shards whole and damaged, and what each file holds."""

import errno
import gzip
import hashlib
import io
import os
import random
import signal
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fashionrec.errors import FashionrecError
from fashionrec.ingest import tars
from fashionrec.ingest.entries import DETAILS, IMAGE, Entry, read_content
from fashionrec.ingest.examine import Finding, examine_entry
from fashionrec.ingest.listing import find_styles, list_catalogue
from fashionrec.ingest.pictures import Limits

LIMITS = Limits(max_pixels=1_000_000, max_bytes=100_000)
NOT_REGULAR = "not a regular file"
scandir = os.scandir
BLOCK = 512

Member = tuple[str, bytes]


def picture(colour: str = "red") -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (8, 6), colour).save(stream, "JPEG")
    return stream.getvalue()


def tar_of(members: Iterable[Member | tarfile.TarInfo], form: int = tarfile.GNU_FORMAT) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
    return stream.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def sealed(header: bytes) -> bytes:
    """A member's header with the checksum that it should have."""
    blank = header[:148] + b" " * 8 + header[156:]
    return blank[:148] + b"%06o\0 " % sum(blank) + blank[156:]


def filled(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def listed(folder: Path) -> list[tuple[str, int | None, str | None]]:
    """Path, id and problem of each entry; 1,000 at most, so that no tar can be endless."""
    entries = islice(list_catalogue(folder), 1_000)
    return [(entry.path, entry.product_id, entry.problem) for entry in entries]


@contextmanager
def at_once() -> Iterator[None]:
    """Fail, rather than wait for ever, what takes more than five seconds."""
    before = signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it hangs"))
    signal.alarm(5)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def contents(folder: Path) -> list[bytes]:
    return [read_content(folder, entry, 1 << 20) for entry in list_catalogue(folder)]


# Folders.


def test_files_are_listed_by_name_whatever_the_folder(tmp_path: Path) -> None:
    files = {
        "images/2.jpg": b"two",
        "images/10.png": b"ten",
        "images/b/c/3.jpeg": b"three",
        "images/a/007.jpg": b"seven",
        "images/1": b"",
        "styles/2.json": b"{}",
        "styles/more/3.json": b"{}",
        "styles/readme.txt": b"no details",
        "styles/4.JSON": b"no details",
        "styles.csv": b"id",
        "other/9.jpg": b"",
        "9.jpg": b"",
    }
    assert sorted(listed(filled(tmp_path, files))) == [
        ("images/1", 1, None),
        ("images/10.png", 10, None),
        ("images/2.jpg", 2, None),
        ("images/a/007.jpg", 7, None),
        ("images/b/c/3.jpeg", 3, None),
        ("styles/2.json", 2, None),
        ("styles/more/3.json", 3, None),
    ]
    read = {e.path: read_content(tmp_path, e, 1 << 20) for e in list_catalogue(tmp_path)}
    assert read == {path: files[path] for path, _, _ in listed(tmp_path)}


def test_an_entry_says_kind_size_and_time_in_microseconds(tmp_path: Path) -> None:
    filled(tmp_path, {"images/5.jpg": b"12345", "styles/5.json": b"{}"})
    for name in ("images/5.jpg", "styles/5.json"):
        os.utime(tmp_path / name, ns=(0, 1_700_000_000_123_456_789))
    assert list(list_catalogue(tmp_path)) == [
        Entry("images/5.jpg", IMAGE, 5, 5, 1_700_000_000_123_456),
        Entry("styles/5.json", DETAILS, 5, 2, 1_700_000_000_123_456),
    ]


@pytest.mark.parametrize(
    ("name", "product_id"),
    [
        ("15970.jpg", 15970),
        ("15970.JPG", 15970),
        ("00015970.jpg", 15970),
        ("15970", 15970),
        ("15970.", None),
        ("15970.jpg.bak", None),
        ("15970_1.jpg", None),
        ("15970 (1).jpg", None),
        ("._15970.jpg", None),
        (".15970", None),
        ("-15970.jpg", None),
        ("15970.5.jpg", None),
        ("१५९७०.jpg", None),
        ("9223372036854775808.jpg", None),
        ("Thumbs.db", None),
        (".DS_Store", None),
    ],
)
def test_the_id_is_the_name_before_its_ending(
    tmp_path: Path, name: str, product_id: int | None
) -> None:
    filled(tmp_path, {f"images/{name}": b"", "images1.tar": tar_of([(f"a/{name}", b"")])})
    assert listed(tmp_path) == [
        (f"images/{name}", product_id, None),
        (f"images1.tar!a/{name}", product_id, None),
    ]


def test_names_with_what_means_something_elsewhere(tmp_path: Path) -> None:
    names = ["images/1#2.jpg", "images/7!8.jpg", "images/!/7.jpg", "images/a\nb/7.jpg"]
    filled(tmp_path, {name: name.encode() for name in names})
    read = {e.path: read_content(tmp_path, e, 1 << 20) for e in list_catalogue(tmp_path)}
    assert read == {name: name.encode() for name in names}


def test_a_name_that_is_not_utf8_is_listed_readably_with_a_problem(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (Path(os.fsdecode(os.fsencode(tmp_path / "images") + b"/caf\xe9.jpg"))).write_bytes(b"x")
    problem = "the file's name is not UTF-8"
    assert listed(tmp_path) == [(r"b'images/caf\xe9.jpg'", None, problem)]
    (entry,) = list_catalogue(tmp_path)
    assert examine_entry(tmp_path, entry, LIMITS) == Finding(problem=problem)


@pytest.mark.parametrize("below", ["images", "images/b", "images/b/c"])
def test_a_folder_that_cannot_be_read_is_a_problem_beside_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, below: str
) -> None:
    names = ["images/1.jpg", "images/b/2.jpg", "images/b/c/3.jpg", "images/d/4.jpg"]
    filled(tmp_path, {**dict.fromkeys(names, b""), "styles/5.json": b"{}"})

    def denying(path: Path) -> Iterator[os.DirEntry[str]]:  # root may read every folder
        if path == tmp_path / below:
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr("os.scandir", denying)
    entries = listed(tmp_path)
    readable = [name for name in names if not name.startswith(f"{below}/")]
    found = sorted(path for path, _, problem in entries if problem is None)
    assert found == [*readable, "styles/5.json"]
    denied = (below, None, "cannot be read: Permission denied")
    assert [entry for entry in entries if entry[2] is not None] == [denied]


def test_no_name_that_is_not_utf8_is_that_of_another_file(tmp_path: Path) -> None:
    names = [b"\xff.jpg", b"\\xff.jpg", b"b'\\xff.jpg'", b"\xff/1.jpg", b"\\xff/1.jpg", b"'\xff"]
    for name in names:
        file = Path(os.fsdecode(os.fsencode(tmp_path / "images") + b"/" + name))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    problem = "the file's name is not UTF-8"
    assert sorted(listed(tmp_path)) == [
        ('b"images/\'\\xff"', None, problem),
        (r"b'images/\xff.jpg'", None, problem),
        (r"b'images/\xff/1.jpg'", 1, problem),
        (r"images/\xff.jpg", None, None),
        (r"images/\xff/1.jpg", 1, None),
        (r"images/b'\xff.jpg'", None, None),
    ]


class BreaksOff:
    """What `os.scandir` gives, of a folder that cannot be read on after its first entry."""

    def __init__(self, path: Path) -> None:
        self._scan = scandir(path)

    def __enter__(self) -> "BreaksOff":
        return self

    def __exit__(self, *_: object) -> None:
        self._scan.close()

    def __iter__(self) -> Iterator[os.DirEntry[str]]:
        yield next(self._scan)
        raise OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize("below", [".", "images", "images/b"])
def test_a_folder_of_which_only_part_is_listed_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, below: str
) -> None:
    filled(tmp_path, dict.fromkeys(["images/b/1.jpg", "images/b/2.jpg", "images/3.jpg"], b""))
    broken = tmp_path / below
    monkeypatch.setattr(
        "os.scandir", lambda path: (BreaksOff if Path(path) == broken else scandir)(path)
    )
    with pytest.raises(FashionrecError) as raised:
        listed(tmp_path)
    assert str(raised.value) == f"{broken}: cannot be listed: Input/output error"


def test_links_and_special_files(tmp_path: Path) -> None:
    filled(tmp_path, {"images/1.jpg": b"one", "deep/2.jpg": b"two"})
    os.mkfifo(tmp_path / "images" / "3.jpg")
    (tmp_path / "images" / "4.jpg").symlink_to("nowhere")
    (tmp_path / "images" / "5.jpg").symlink_to("1.jpg")
    (tmp_path / "images" / "6").symlink_to(tmp_path / "deep")
    (tmp_path / "images" / "7").symlink_to(tmp_path / "images")
    (tmp_path / "images" / "8.jpg").symlink_to("8.jpg")
    assert sorted(listed(tmp_path)) == [
        ("images/1.jpg", 1, None),
        ("images/3.jpg", 3, NOT_REGULAR),
        ("images/4.jpg", 4, "cannot be read: No such file or directory"),
        ("images/5.jpg", 5, None),
        ("images/6", 6, NOT_REGULAR),
        ("images/7", 7, NOT_REGULAR),
        ("images/8.jpg", 8, "cannot be read: Too many levels of symbolic links"),
    ]
    findings = [examine_entry(tmp_path, e, LIMITS) for e in list_catalogue(tmp_path) if e.problem]
    assert [finding.sha256 for finding in findings] == [None] * 5


def test_the_folder_of_pictures_may_be_a_link(tmp_path: Path) -> None:
    filled(tmp_path, {"deep/2.jpg": b"two"})
    (tmp_path / "images").symlink_to("deep")
    assert listed(tmp_path) == [("images/2.jpg", 2, None)]
    assert contents(tmp_path) == [b"two"]


def test_a_catalogue_without_pictures_has_no_entries(tmp_path: Path) -> None:
    assert listed(tmp_path) == []
    filled(tmp_path, {"images": b"a file", "styles": b"a file", "styles.csv": b"id"})
    problem = "cannot be read: Not a directory"
    assert listed(tmp_path) == [("images", None, problem), ("styles", None, problem)]


# Shards.


def test_shards_are_listed_in_order_behind_the_folder(tmp_path: Path) -> None:
    first, second = [("1.jpg", b"one"), ("2.jpg", b"")], [("images/1.jpg", b"other")]
    files = {
        "images-1.tar": tar_of(second),
        "images.tar": tar_of(first),
        "images2.tar": tar_of([("dir/3.jpg", b"x" * 513), ("é/4.jpg", b"four")]),
        "images.tar.bak": tar_of(first),
        "pictures.tar": tar_of(first),
        "images/5.jpg": b"five",
    }
    assert listed(filled(tmp_path, files)) == [
        ("images/5.jpg", 5, None),
        ("images-1.tar!images/1.jpg", 1, None),
        ("images.tar!1.jpg", 1, None),
        ("images.tar!2.jpg", 2, None),
        ("images2.tar!dir/3.jpg", 3, None),
        ("images2.tar!é/4.jpg", 4, None),
    ]
    assert contents(tmp_path) == [b"five", b"other", b"one", b"", b"x" * 513, b"four"]


def test_a_member_says_where_its_content_starts_and_has_the_time_of_its_tar(
    tmp_path: Path,
) -> None:
    filled(tmp_path, {"images.tar": tar_of([("1.jpg", b"one"), ("2.jpg", b"seven")])})
    os.utime(tmp_path / "images.tar", ns=(0, 1_700_000_000_123_456_789))
    time = 1_700_000_000_123_456
    assert list(list_catalogue(tmp_path)) == [
        Entry("images.tar!1.jpg", IMAGE, 1, 3, time, "images.tar", 512),
        Entry("images.tar!2.jpg", IMAGE, 2, 5, time, "images.tar", 1536),
    ]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tars_of_every_form(tmp_path: Path, form: int) -> None:
    names = ["1.jpg", "a" * 90 + "/" + "b" * 90 + "/2.jpg", "é कुर्ता/3.jpg"]
    content = tar_of([(name, name.encode()) for name in names], form)
    assert listed(filled(tmp_path, {"images.tar": content})) == [
        (f"images.tar!{name}", i, None) for i, name in enumerate(names, 1)
    ]
    assert contents(tmp_path) == [name.encode() for name in names]


def test_a_name_that_stands_again_is_another_entry(tmp_path: Path) -> None:
    members = [("1.jpg", b"one"), ("2.jpg", b"two"), ("1.jpg", b"again"), ("1.jpg", b"")]
    assert listed(filled(tmp_path, {"images.tar": tar_of(members)})) == [
        ("images.tar!1.jpg", 1, None),
        ("images.tar!2.jpg", 2, None),
        ("images.tar!1.jpg#2", 1, None),
        ("images.tar!1.jpg#3", 1, None),
    ]
    assert contents(tmp_path) == [b"one", b"two", b"again", b""]


def test_no_two_members_share_a_path_even_where_a_name_looks_numbered(tmp_path: Path) -> None:
    members = [("1.jpg", b"a"), ("1.jpg", b"b"), ("1.jpg#2", b"c"), ("1.jpg#2#2", b"d")]
    assert [path for path, _, _ in listed(filled(tmp_path, {"images.tar": tar_of(members)}))] == [
        "images.tar!1.jpg",
        "images.tar!1.jpg#2",
        "images.tar!1.jpg#2#2",
        "images.tar!1.jpg#2#2#2",
    ]
    assert contents(tmp_path) == [b"a", b"b", b"c", b"d"]


def test_many_equal_names_are_each_numbered_at_once() -> None:
    asked: list[str] = []
    with tars._times() as times:

        def counted(name: str) -> int:
            asked.append(name)
            return times(name)

        assert len({tars._unique("1.jpg", counted) for _ in range(500)}) == 500
    assert len(asked) < 2 * 500


def test_members_that_are_no_files(tmp_path: Path) -> None:
    members: list[Member | tarfile.TarInfo] = [
        special("dir", tarfile.DIRTYPE),
        special("dir.jpg/", tarfile.DIRTYPE),
        ("dir/1.jpg", b"one"),
        special("2.jpg", tarfile.SYMTYPE, "/etc/passwd"),
        special("3.jpg", tarfile.LNKTYPE, "dir/1.jpg"),
        special("4.jpg", tarfile.FIFOTYPE),
        special("5.jpg", tarfile.CHRTYPE),
        ("6.jpg", b"six"),
    ]
    assert listed(filled(tmp_path, {"images.tar": tar_of(members)})) == [
        ("images.tar!dir/1.jpg", 1, None),
        ("images.tar!2.jpg", 2, NOT_REGULAR),
        ("images.tar!3.jpg", 3, NOT_REGULAR),
        ("images.tar!4.jpg", 4, NOT_REGULAR),
        ("images.tar!5.jpg", 5, NOT_REGULAR),
        ("images.tar!6.jpg", 6, None),
    ]
    findings = [examine_entry(tmp_path, e, LIMITS) for e in list_catalogue(tmp_path)]
    assert [f for f in findings if f.sha256 is None] == [Finding(problem=NOT_REGULAR)] * 4


def test_a_name_that_points_outside_never_leads_outside(tmp_path: Path) -> None:
    filled(tmp_path, {"secret/9.jpg": b"secret", "catalogue/styles.csv": b"id"})
    names = [str(tmp_path / "secret" / "9.jpg"), "../secret/9.jpg", "./../secret/./9.jpg"]
    members = [(name, f"inside {i}".encode()) for i, name in enumerate(names)]
    folder = filled(tmp_path / "catalogue", {"images.tar": tar_of(members)})
    assert listed(folder) == [(f"images.tar!{name}", 9, None) for name in names]
    assert contents(folder) == [b"inside 0", b"inside 1", b"inside 2"]


def test_a_member_whose_name_is_not_utf8_is_listed_readably(tmp_path: Path) -> None:
    content = tar_of([("1caf_.jpg", b"one"), ("2.jpg", b"two")], tarfile.USTAR_FORMAT)
    header = sealed(content[:BLOCK].replace(b"caf_", b"caf\xe9"))
    filled(tmp_path, {"images.tar": header + content[BLOCK:]})
    assert listed(tmp_path) == [
        ("images.tar!1caf\\xe9.jpg", None, None),
        ("images.tar!2.jpg", 2, None),
    ]
    assert contents(tmp_path) == [b"one", b"two"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"x", "truncated header"),
        (b"\xa5" * 10_240, "invalid header"),
        (b"<html>404</html>" * 100, "invalid header"),
        (gzip.compress(tar_of([("1.jpg", random.Random(7).randbytes(2_000))])), "invalid header"),
    ],
    ids=["empty", "a byte", "garbage", "text", "gzip"],
)
def test_what_is_no_tar_is_one_problem(tmp_path: Path, content: bytes, reason: str) -> None:
    filled(tmp_path, {"images.tar": content, "images2.tar": tar_of([("2.jpg", b"two")])})
    os.utime(tmp_path / "images.tar", ns=(0, 5_000))
    entries = list(list_catalogue(tmp_path))
    problem = f"damaged tar: {reason}"
    assert entries[0] == Entry("images.tar", IMAGE, None, len(content), 5, problem=problem)
    assert [entry.path for entry in entries[1:]] == ["images2.tar!2.jpg"]
    assert examine_entry(tmp_path, entries[0], LIMITS) == Finding(problem=problem)


def test_a_folder_named_like_a_shard_is_one_problem(tmp_path: Path) -> None:
    (tmp_path / "images1.tar").mkdir()
    assert listed(tmp_path) == [("images1.tar", None, NOT_REGULAR)]


@pytest.mark.parametrize("linked", [False, True], ids=["fifo", "link to a fifo"])
def test_a_fifo_named_like_a_shard_is_one_problem_at_once(tmp_path: Path, linked: bool) -> None:
    os.mkfifo(tmp_path / ("fifo" if linked else "images.tar"))
    if linked:
        (tmp_path / "images.tar").symlink_to("fifo")
    filled(tmp_path, {"images2.tar": tar_of([("2.jpg", b"two")])})
    with at_once():
        entries = listed(tmp_path)
    assert entries == [("images.tar", None, NOT_REGULAR), ("images2.tar!2.jpg", 2, None)]


def test_a_shard_may_be_a_link_and_one_to_nowhere_is_a_problem(tmp_path: Path) -> None:
    filled(tmp_path, {"elsewhere.tar": tar_of([("1.jpg", b"one")])})
    (tmp_path / "images1.tar").symlink_to("elsewhere.tar")
    (tmp_path / "images2.tar").symlink_to("nowhere")
    assert listed(tmp_path) == [
        ("images1.tar!1.jpg", 1, None),
        ("images2.tar", None, "cannot be read: No such file or directory"),
    ]


def test_a_shard_whose_name_is_not_utf8_is_a_problem_with_a_readable_path(tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/images\xff.tar")
    Path(name).write_bytes(tar_of([("1.jpg", b"one")]))
    assert listed(tmp_path) == [(r"b'images\xff.tar'", None, "the file's name is not UTF-8")]


@pytest.mark.parametrize("content", [tar_of([]), bytes(2 * BLOCK)])
def test_an_empty_tar_has_no_entries(tmp_path: Path, content: bytes) -> None:
    assert listed(filled(tmp_path, {"images.tar": content})) == []


MEMBERS: Sequence[Member] = [
    ("1.jpg", b"x" * 700),
    ("é" * 80 + "/2.jpg", b"two"),  # too long for one header: further blocks come before it
    ("3.jpg", b""),
    ("4.jpg", b"y" * BLOCK),
    ("5.jpg", b"five"),
]


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=["gnu", "pax"])
def test_a_tar_cut_anywhere_keeps_what_is_before_and_reports_the_damage(
    tmp_path: Path, form: int
) -> None:
    whole = tar_of(MEMBERS, form)
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        starts = [member.offset for member in tar.getmembers()]
        headed = [member.offset_data for member in tar.getmembers()]
    end = headed[-1] + BLOCK
    blocks = range(0, end + 3 * BLOCK, BLOCK)
    cuts = {cut for at in blocks for cut in (at - 1, at, at + 1, at + 5, at + 100, at + 257)}
    filled(tmp_path, {"images.tar": whole})
    intact = [entry.path for entry in list_catalogue(tmp_path)]
    assert len(intact) == len(MEMBERS)
    for cut in sorted(cuts - {-1}):
        (tmp_path / "images.tar").write_bytes(whole[:cut])
        entries = list(list_catalogue(tmp_path))
        good = [entry.path for entry in entries if entry.problem is None]
        bad = [(entry.path, str(entry.problem)[:13]) for entry in entries if entry.problem]
        assert good == intact[: sum(cut >= at for at in headed)], f"cut at {cut}"
        clean = cut >= end or (cut > 0 and cut in starts)
        assert bad == ([] if clean else [("images.tar", "damaged tar: ")]), f"cut at {cut}"


def test_a_member_that_is_cut_is_a_truncated_picture(tmp_path: Path) -> None:
    whole = tar_of([("1.jpg", picture()), ("2.jpg", picture("blue"))])
    filled(tmp_path, {"images.tar": whole[: whole.index(picture("blue")) + len(picture()) - 9]})
    first, second, damage = (examine_entry(tmp_path, e, LIMITS) for e in list_catalogue(tmp_path))
    assert first.problem is None
    assert second.problem == "truncated image"
    assert damage == Finding(problem="damaged tar: unexpected end of data")


def test_garbage_in_the_middle_is_one_problem_behind_what_is_before(tmp_path: Path) -> None:
    whole = tar_of([("1.jpg", b"one"), ("2.jpg", b"two"), ("3.jpg", b"three")])
    for garbage in (b"\xa5" * BLOCK, b"\0" * 100 + b"x" * 412, b"x" + b"\0" * 511):
        content = whole[:1024] + garbage + whole[1024 + BLOCK :]
        assert listed(filled(tmp_path, {"images.tar": content})) == [
            ("images.tar!1.jpg", 1, None),
            ("images.tar", None, "damaged tar: more than zeros after byte 1,024"),
        ]


@pytest.mark.parametrize("place", range(0, BLOCK, 37))
def test_a_flipped_bit_in_a_header_is_reported(tmp_path: Path, place: int) -> None:
    whole = bytearray(tar_of([("1.jpg", b"one"), ("2.jpg", b"two"), ("3.jpg", b"three")]))
    whole[1024 + place] ^= 0x01
    assert listed(filled(tmp_path, {"images.tar": bytes(whole)})) == [
        ("images.tar!1.jpg", 1, None),
        ("images.tar", None, "damaged tar: more than zeros after byte 1,024"),
    ]


THREE = tar_of([("1.jpg", b"one"), ("2.jpg", b"two"), ("3.jpg", b"three")])


class Unreadable(io.BytesIO):
    """A file of a store that answers up to a place, and then no more."""

    def __init__(self, content: bytes, place: int, error: Exception) -> None:
        super().__init__(content)
        self._place, self._error = place, error

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self.tell() >= self._place:
            raise self._error
        return super().readinto(buffer[:BLOCK])


@pytest.mark.parametrize("place", [0, 1, 1024, 3 * 1024])
@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.EIO, "Input/output error"), "Input/output error"),
        (OSError("Forbidden: shop\nand more"), "OSError: Forbidden: shop"),
        (TimeoutError(), "TimeoutError"),
        (LookupError("no answer"), "LookupError: no answer"),
        (ValueError("no answer"), "ValueError: no answer"),
    ],
    ids=str,
)
def test_a_shard_that_cannot_be_read_is_an_error_and_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: int, error: Exception, told: str
) -> None:
    filled(tmp_path, {"images.tar": THREE})
    monkeypatch.setattr(tars, "open_raw", lambda _: Unreadable(THREE, place, error))
    with pytest.raises(FashionrecError) as raised:
        listed(tmp_path)
    assert str(raised.value) == f"{tmp_path}/images.tar: cannot be read: {told}"


def test_a_shard_that_cannot_be_opened_is_an_error_and_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deny(_: Path) -> io.RawIOBase:  # root may read every file
        raise PermissionError(errno.EACCES, "Permission denied")

    filled(tmp_path, {"images.tar": THREE})
    monkeypatch.setattr(tars, "open_raw", deny)
    with pytest.raises(FashionrecError, match=r"images\.tar: cannot be read: Permission denied$"):
        listed(tmp_path)


@pytest.mark.parametrize(
    ("content", "end"),
    [
        (THREE[:1024] + bytes(BLOCK) + THREE[1024 + BLOCK :], "1,024"),
        (bytes(BLOCK) + THREE[BLOCK:], "0"),
        (tar_of([("1.jpg", b"one")]) + THREE, "1,024"),
    ],
    ids=["zeroed header", "zeroed first header", "concatenated"],
)
def test_zeros_before_more_members_are_damage(tmp_path: Path, content: bytes, end: str) -> None:
    before = [] if end == "0" else [("images.tar!1.jpg", 1, None)]
    damage = ("images.tar", None, f"damaged tar: more than zeros after byte {end}")
    assert listed(filled(tmp_path, {"images.tar": content})) == [*before, damage]


@pytest.mark.parametrize("size", [-1, -512, -1024])
def test_a_negative_size_is_damage(tmp_path: Path, size: int) -> None:
    header = bytearray(THREE[1024 : 1024 + BLOCK])
    header[124:136] = tarfile.itn(size, 12, tarfile.GNU_FORMAT)  # type: ignore[attr-defined]
    content = THREE[:1024] + sealed(bytes(header)) + THREE[1024 + BLOCK :]
    assert listed(filled(tmp_path, {"images.tar": content})) == [
        ("images.tar!1.jpg", 1, None),
        ("images.tar", None, "damaged tar: 2.jpg has an impossible size"),
    ]


def test_a_thousand_extended_headers_are_damage(tmp_path: Path) -> None:
    one = tarfile.TarInfo("1.jpg")
    one.pax_headers = {"comment": "x"}
    extended = tar_of([one], tarfile.PAX_FORMAT)[: 2 * BLOCK]
    ((path, _, problem),) = listed(filled(tmp_path, {"images.tar": extended * 2_000 + THREE}))
    assert path == "images.tar"
    assert str(problem).startswith("damaged tar: maximum recursion depth exceeded")


Flips = dict[int, tuple[int, int]]
FORMS = [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]
SHARDS = {form: tar_of(MEMBERS, form)[: 14 * BLOCK] for form in FORMS}
A_FLIP = st.tuples(st.integers(0, BLOCK - 1), st.integers(1, 255))


def flipped(content: bytes, flips: Flips) -> bytes:
    damaged = bytearray(content)
    for block, (place, mask) in flips.items():
        damaged[block * BLOCK + place] ^= mask
    return bytes(damaged)


def entries_of(content: bytes) -> list[Entry]:
    """The entries of a shard: each examined, no path twice, and not without an end."""
    with tempfile.TemporaryDirectory() as name, at_once():
        folder = filled(Path(name), {"images.tar": content})
        os.utime(folder / "images.tar", (0, 0))
        entries = list(islice(list_catalogue(folder), 100))
        assert all(isinstance(examine_entry(folder, entry, LIMITS), Finding) for entry in entries)
    assert len(entries) < 100
    assert len({entry.path for entry in entries}) == len(entries)
    return entries


# Of two bytes in one header the changes may cancel out in its checksum: that no reader can see.
@settings(max_examples=200, deadline=None)
@given(st.sampled_from(FORMS), st.dictionaries(st.integers(0, 13), A_FLIP, max_size=3))
def test_flipped_bytes_lose_no_member_without_a_problem(form: int, flips: Flips) -> None:
    intact, entries = entries_of(SHARDS[form]), entries_of(flipped(SHARDS[form], flips))
    members = [entry for entry in entries if entry.archive]
    damage = [(e.path, str(e.problem)[:13]) for e in entries if not e.archive]
    assert len(intact) == len(MEMBERS)
    assert len(members) == len(MEMBERS) or damage == [("images.tar", "damaged tar: ")]
    assert [e.offset for e in members] == [e.offset for e in intact[: len(members)]]
    # What ends before the first damaged block is there as if nothing were damaged.
    first = min(flips, default=14) * BLOCK
    ends = [(entry.offset or 0) + entry.size for entry in intact]
    before = sum(end <= first for end in ends)
    assert entries[:before] == intact[:before]


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(FORMS),
    st.lists(
        st.tuples(st.integers(0, 14 * BLOCK), st.binary(min_size=1, max_size=600)), max_size=3
    ),
)
def test_any_damage_is_listed_to_an_end(form: int, patches: list[tuple[int, bytes]]) -> None:
    content = SHARDS[form]
    for place, patch in patches:
        content = content[:place] + patch + content[place + len(patch) :]
    entries_of(content)


# Reading and examining.


def test_no_more_is_read_than_a_byte_over_the_limit(tmp_path: Path) -> None:
    files = {"images/1.jpg": b"0123456789", "images.tar": tar_of([("2.jpg", b"0123456789")])}
    folder = filled(tmp_path, files)
    for limit, content in ((4, b"01234"), (9, b"0123456789"), (100, b"0123456789")):
        read = [read_content(folder, entry, limit) for entry in list_catalogue(folder)]
        assert read == [content, content]


def test_a_usable_file_has_a_hash_and_facts(tmp_path: Path) -> None:
    style = b'{"data": {"brandName": "Turtle"}}'
    files = {"images/1.jpg": picture(), "images.tar": tar_of([("2.jpg", picture())])}
    folder = filled(tmp_path, {**files, "styles/1.json": style})
    findings = [examine_entry(folder, entry, LIMITS) for entry in list_catalogue(folder)]
    facts = {"format": "JPEG", "width": "8", "height": "6", "mode": "RGB"}
    found = Finding(hashlib.sha256(picture()).hexdigest(), None, facts)
    details = Finding(hashlib.sha256(style).hexdigest(), None, {"brand": "Turtle"})
    assert findings == [found, found, details]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("images/1.jpg", b"", "empty file"),
        ("images/1.jpg", b"text", "not an image"),
        ("images/1.jpg", picture()[:-9], "truncated image"),
        ("images/1.jpg", b'{"data": {}}', "not an image"),
        ("styles/1.json", b"{", "not JSON in UTF-8"),
        ("styles/1.json", picture(), "not JSON in UTF-8"),
    ],
)
def test_an_unusable_file_has_a_hash_and_a_problem(
    tmp_path: Path, name: str, content: bytes, problem: str
) -> None:
    (entry,) = list_catalogue(filled(tmp_path, {name: content}))
    finding = examine_entry(tmp_path, entry, LIMITS)
    assert finding == Finding(hashlib.sha256(content).hexdigest(), problem)


def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    content = picture() + bytes(LIMITS.max_bytes)
    files = {"images/1.jpg": content, "images.tar": tar_of([("2.jpg", content)])}
    findings = [
        examine_entry(tmp_path, entry, LIMITS) for entry in list_catalogue(filled(tmp_path, files))
    ]
    assert findings == [Finding(problem="more than 100,000 bytes")] * 2
    exact = picture() + bytes(LIMITS.max_bytes - len(picture()))
    (entry, _) = list_catalogue(filled(tmp_path, {"images/1.jpg": exact}))
    assert examine_entry(tmp_path, entry, LIMITS).sha256 == hashlib.sha256(exact).hexdigest()


def test_a_file_that_has_grown_since_it_was_listed_is_too_large(tmp_path: Path) -> None:
    (entry,) = list_catalogue(filled(tmp_path, {"images/1.jpg": picture()}))
    filled(tmp_path, {"images/1.jpg": picture() + bytes(1_000)})
    for limit, problem in ((1_000, "more than 1,000 bytes"), (len(picture()) + 1_000, None)):
        assert examine_entry(tmp_path, entry, Limits(100, limit)).problem == problem


def test_a_file_that_has_gone_is_a_problem(tmp_path: Path) -> None:
    files = {"images/1.jpg": picture(), "images.tar": tar_of([("2.jpg", picture())])}
    entries = list(list_catalogue(filled(tmp_path, files)))
    for name in files:
        (tmp_path / name).unlink()
    gone = Finding(problem="cannot be read: No such file or directory")
    assert [examine_entry(tmp_path, entry, LIMITS) for entry in entries] == [gone, gone]


# The catalogue's folder.


def test_styles_is_found_in_the_catalogue(tmp_path: Path) -> None:
    filled(tmp_path, {"styles.csv": b"id", "deeper/styles.csv": b"id"})
    assert find_styles(tmp_path) == tmp_path / "styles.csv"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "has no styles.csv; a catalogue needs one"),
        ({"styles.CSV": b"id"}, "has no styles.csv; a catalogue needs one"),
        ({"styles.csv/1.json": b""}, "has no styles.csv; a catalogue needs one"),
        (
            {"b/styles.csv": b"id", "a/deep/styles.csv": b"id"},
            "has no styles.csv; there is one in {folder}/a/deep: give that folder",
        ),
    ],
)
def test_a_catalogue_without_styles_is_an_error(
    tmp_path: Path, files: dict[str, bytes], message: str
) -> None:
    with pytest.raises(FashionrecError) as raised:
        find_styles(filled(tmp_path, files))
    assert str(raised.value) == f"{tmp_path}: {message.format(folder=tmp_path)}"


def test_a_catalogue_that_is_no_folder_is_an_error(tmp_path: Path) -> None:
    filled(tmp_path, {"styles.csv": b"id"})
    for path in (tmp_path / "none", tmp_path / "styles.csv"):
        with pytest.raises(FashionrecError) as raised:
            find_styles(path)
        wanted = f"{path}: there is no such folder; --catalogue names the catalogue"
        assert str(raised.value) == wanted
