"""The sample catalogue: the same bytes for a seed, and exactly the faults that it says it has."""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import pytest
from PIL import Image, ImageChops, ImageOps, ImageStat, UnidentifiedImageError

from fashionrec import sample
from fashionrec.sample import draw_catalogue
from fashionrec.sample.attributes import ARTICLES, COLOURS, PATTERNS, Look, draw_ids, make_products
from fashionrec.sample.faults import FAULTS, Catalogue, spoil
from fashionrec.sample.silhouettes import draw

T = TypeVar("T")


@dataclass(frozen=True)
class Drawn:
    """A drawn catalogue as its reader finds it."""

    folder: Path
    counts: dict[str, int]

    @property
    def lines(self) -> list[bytes]:
        return (self.folder / "styles.csv").read_bytes().removesuffix(b"\n").split(b"\n")[1:]

    @property
    def cells(self) -> list[list[str]]:
        """The cells of the lines that have all ten, the name kept whole as the last one."""
        texts = (line.decode(errors="replace") for line in self.lines)
        return [cells for cells in (text.split(",", 9) for text in texts) if len(cells) == 10]

    @property
    def pictures(self) -> dict[str, bytes]:
        return {path.stem: path.read_bytes() for path in (self.folder / "images").iterdir()}

    @property
    def styles(self) -> dict[str, bytes]:
        return {path.stem: path.read_bytes() for path in (self.folder / "styles").iterdir()}


@pytest.fixture(scope="module", params=[60, 120])
def drawn(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    folder = tmp_path_factory.mktemp("sample") / "catalogue"
    return Drawn(folder, draw_catalogue(folder, products=request.param))


def tree(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(f.relative_to(folder)): sha256(f.read_bytes()).hexdigest() for f in files}


def many(values: Iterable[T], wanted: Callable[[T], bool]) -> int:
    return sum(1 for value in values if wanted(value))


def opened(content: bytes) -> str:
    """What comes of decoding a picture: a failure's name, or its format, mode and size."""
    try:
        with Image.open(io.BytesIO(content)) as picture:
            picture.load()
            return f"{picture.format} {picture.mode} {picture.width}x{picture.height}"
    except UnidentifiedImageError:
        return "unidentified"
    except OSError:
        return "truncated"


def is_utf8(line: bytes) -> bool:
    try:
        return line.decode() is not None
    except UnicodeDecodeError:
        return False


def is_json(content: bytes) -> bool:
    try:
        return bool(json.loads(content))
    except ValueError:
        return False


def test_the_counts_say_what_was_put_in() -> None:
    assert {name: len(cases) for name, cases in FAULTS.items()} == {
        "unquoted_comma": 6,
        "stray_quote": 2,
        "quoted_comma": 2,
        "other_script": 3,
        "unreadable_year": 3,
        "repeated_id": 3,
        "text_id": 2,
        "short_line": 1,
        "not_utf8_line": 1,
        "blank_line": 2,
        "unreadable_style": 2,
        "missing_picture": 4,
        "truncated_picture": 3,
        "empty_picture": 2,
        "not_a_picture": 1,
        "grey_picture": 6,
        "cmyk_picture": 3,
        "png_picture": 3,
        "rotated_picture": 1,
        "picture_of_no_product": 2,
        "shared_picture": 2,
    }


def test_no_product_has_two_faults() -> None:
    catalogue = Catalogue(60, seed=7)
    everyone = {product.id for product in catalogue.untouched}
    cases = sum(spoil(catalogue).values()) + 2  # the other halves of the pairs
    left = {product.id for product in catalogue.untouched}
    assert len(everyone) == 60
    assert len(everyone - left) == cases


def test_the_lines_have_the_faults_that_are_counted(drawn: Drawn) -> None:
    lines, names = drawn.lines, [cells[9] for cells in drawn.cells]
    ids = Counter(cells[0] for cells in drawn.cells)
    found = {
        "unquoted_comma": many(names, lambda name: "," in name and name[0] != '"'),
        "stray_quote": many(names, lambda name: name.count('"') == 1),
        "quoted_comma": many(names, lambda name: "," in name and name[0] == name[-1] == '"'),
        "other_script": many(names, lambda name: not name.isascii() and "\ufffd" not in name),
        "unreadable_year": many(drawn.cells, lambda cells: not cells[7].isdigit()),
        "repeated_id": many(ids.values(), lambda lines_of_id: lines_of_id == 2),
        "text_id": many(ids, lambda product_id: not product_id.isdigit()),
        "short_line": many(lines, lambda line: line != b"" and line.count(b",") < 9),
        "not_utf8_line": many(lines, lambda line: not is_utf8(line)),
        "blank_line": lines.count(b""),
        "unreadable_style": many(drawn.styles.values(), lambda style: not is_json(style)),
    }
    assert found == {name: drawn.counts[name] for name in found}
    extra = ("repeated_id", "text_id", "short_line", "not_utf8_line", "blank_line")
    assert len(lines) == drawn.counts["products"] + sum(found[name] for name in extra)


def test_the_pictures_have_the_faults_that_are_counted(drawn: Drawn) -> None:
    pictures, products = drawn.pictures, set(drawn.styles)
    results = Counter(opened(content) for content in pictures.values())
    copies = Counter(content for content in pictures.values() if content)
    found = {
        "missing_picture": len(products - set(pictures)),
        "picture_of_no_product": len(set(pictures) - products),
        "shared_picture": many(copies.values(), lambda times: times == 2),
        "truncated_picture": results.pop("truncated"),
        "empty_picture": many(pictures.values(), lambda content: content == b""),
        "not_a_picture": many(pictures.values(), lambda content: content.startswith(b"<html>")),
        "grey_picture": results.pop("JPEG L 180x240"),
        "cmyk_picture": results.pop("JPEG CMYK 180x240"),
        "png_picture": results.pop("PNG RGB 180x240"),
        "rotated_picture": results.pop("JPEG RGB 240x180"),
    }
    assert found == {name: drawn.counts[name] for name in found}
    assert results.pop("unidentified") == found["empty_picture"] + found["not_a_picture"]
    assert results.keys() == {"JPEG RGB 180x240"}
    assert drawn.counts["pictures"] == len(pictures)


def test_the_text_files_are_written_as_kaggle_writes_them(drawn: Drawn) -> None:
    table = (drawn.folder / "styles.csv").read_bytes()
    assert table.startswith(b"\xef\xbb\xbfid,gender,masterCategory,subCategory,articleType,")
    assert table.split(b"\n")[0].endswith(b"baseColour,season,year,usage,productDisplayName")
    assert table.endswith(b"\n")
    assert b"\r" not in table
    links = (drawn.folder / "images.csv").read_text().splitlines()
    ids = sorted(int(product_id) for product_id in drawn.styles)
    assert links[0] == "filename,link"
    assert links[1:] == [f"{i}.jpg,http://images.example.com/{i}.jpg" for i in ids]


def test_a_style_agrees_with_the_last_line_of_its_id(drawn: Drawn) -> None:
    cells_of = {cells[0]: cells for cells in drawn.cells}
    for product_id in filter(lambda key: is_json(drawn.styles[key]), drawn.styles):
        style, cells = json.loads(drawn.styles[product_id]), cells_of[product_id]
        name = cells[9][1:-1].replace('""', '"') if cells[9].endswith('"') else cells[9]
        data = style["data"]
        assert style["meta"]["code"] == 200
        assert data["id"] == int(product_id)
        assert data["productDisplayName"] == name
        assert data["ageGroup"].endswith(f"-{cells[1]}")
        assert (data["gender"], data["baseColour"]) == (cells[1], cells[5])
        assert (data["season"], data["usage"]) == (cells[6], cells[8])
        assert data["year"] == cells[7].replace("l", "1")
        assert 0 < data["discountedPrice"] <= data["price"]


def test_a_quoted_name_is_one_cell_to_a_csv_reader(drawn: Drawn) -> None:
    quoted = [line.decode() for line in drawn.lines if line.endswith(b'"')]
    read = list(csv.reader(quoted))
    assert [len(cells) for cells in read] == [10, 10]
    assert sorted(cells[9].partition(",")[2] for cells in read) == [' 12" Box', " Gift Box"]


def test_a_rotated_picture_stands_upright_once_its_exif_is_heeded(drawn: Drawn) -> None:
    (content,) = (c for c in drawn.pictures.values() if opened(c) == "JPEG RGB 240x180")
    with Image.open(io.BytesIO(content)) as stored:
        assert ImageOps.exif_transpose(stored).size == (180, 240)


def test_the_full_catalogue_has_many_products_of_many_types() -> None:
    products = make_products(draw_ids(600, seed=7), seed=7)
    types = Counter(product.article_type for product in products)
    assert set(types) == set(ARTICLES)
    assert many(types.values(), lambda count: 40 <= count <= 50) == 12
    names = Counter(product.name for product in products)
    assert 0.35 < sum(count for count in names.values() if count > 1) / 600 < 0.45
    in_colours = {(p.name, p.base_colour) for p in products if names[p.name] > 1}
    assert len(in_colours) > 1.7 * many(names.values(), lambda count: count > 1)


def test_ids_are_scattered_and_lines_shuffled(drawn: Drawn) -> None:
    ids = [int(cells[0]) for cells in drawn.cells if cells[0].isdigit()]
    assert ids != sorted(ids)
    assert 1000 <= min(ids) < 10_000
    assert 50_000 < max(ids) < 60_000
    types = [cells[4] for cells in drawn.cells]
    assert types[:12] != [*ARTICLES][:12]


def test_a_seed_gives_the_same_bytes_and_another_seed_gives_others(tmp_path: Path) -> None:
    for name, seed in (("one", 7), ("two", 7), ("other", 8)):
        draw_catalogue(tmp_path / name, products=80, seed=seed)
    one, other = tree(tmp_path / "one"), tree(tmp_path / "other")
    assert tree(tmp_path / "two") == one
    same = set(one.values()) & set(other.values())
    assert len(same) == 2, "only the empty picture and the text that is no picture"


@pytest.mark.parametrize("article_type", ARTICLES)
def test_a_drawing_lies_within_the_frame_and_shows_its_cloth(article_type: str) -> None:
    def drawn_in(colour: str, pattern: str) -> Image.Image:
        return draw(article_type, Look(COLOURS[colour], COLOURS["Teal"], pattern, 20, 0.5, "shot"))

    red, blue = drawn_in("Red", "Solid"), drawn_in("Blue", "Solid")
    left, top, right, bottom = ImageChops.invert(red).getbbox() or (0, 0, 0, 0)
    assert 0 < left < 90 < right < 180
    assert 0 < top < 120 < bottom < 240
    unlike = ImageChops.difference(red, blue).convert("L").point([0, *[255] * 255])
    assert ImageStat.Stat(unlike).mean[0] > 0.05 * 255
    assert len({drawn_in("Red", pattern).tobytes() for pattern in PATTERNS}) == len(PATTERNS)


def test_few_products_or_a_folder_in_use_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"products is 59; .* 60 or more"):
        draw_catalogue(tmp_path / "new", products=59)
    (tmp_path / "note.txt").write_text("mine")
    for used in (tmp_path, tmp_path / "note.txt"):
        with pytest.raises(ValueError, match="is not an empty folder"):
            draw_catalogue(used, products=60)
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]


def test_a_run_that_breaks_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Catalogue) -> Iterator[tuple[str, bytes]]:
        yield "styles.csv", b"id"
        raise OSError("no space left")

    monkeypatch.setattr(sample, "_files", broken)
    with pytest.raises(OSError, match="no space left"):
        draw_catalogue(tmp_path / "catalogue", products=60)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    draw_catalogue(tmp_path, products=60)
    assert {path.name for path in tmp_path.iterdir()} == {
        "images",
        "styles",
        "styles.csv",
        "images.csv",
    }
