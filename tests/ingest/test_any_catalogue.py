"""Any catalogue after any other in the same warehouse: nothing is lost, and good rows survive."""

import csv
import io
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image
from pyspark.sql import SparkSession

from fashionrec.config import load
from fashionrec.ingest.ingest import ingest
from fashionrec.ingest.styles import COLUMNS
from fashionrec.runs import recorded
from fashionrec.store import Store
from fashionrec.tables import IMAGES, PRODUCTS, REJECTS

CONFIG = load()
FURTHER = {"fetching": CONFIG.fetch, "expectations": CONFIG.expectations}
IDS = st.integers(1, 12)
# A line's end ends a name, and white space around one is not promised to survive.
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=30)
BAD_LINES = [b"", b"   ", b"7,Men", b"seven,Men,a,b,c,d,e,f,g,name", b"\xff\xfe,x", b'"']


@dataclass(frozen=True)
class Product:
    """A line that becomes a product unless a later one has its id."""

    product_id: int
    name: str
    year: int
    quoted: bool  # as csv writes it, or as Kaggle does: commas in the name as they are


@dataclass(frozen=True)
class Drawn:
    """A catalogue: its lines, and its pictures by id."""

    lines: list[Product | bytes]
    columns: list[str]
    line_end: bytes
    mark: bytes
    pictures: dict[int, bytes]


def picture(shade: int) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (4, 6), (shade, 0, 0)).save(content, "JPEG")
    return content.getvalue()


GOOD_PICTURES = [picture(0), picture(120), picture(240)]
BAD_PICTURES = [b"", b"no picture", picture(60)[:-40]]

products = st.builds(Product, IDS, NAMES, st.integers(1000, 9999), st.booleans())
catalogues = st.builds(
    Drawn,
    st.lists(products | st.sampled_from(BAD_LINES), max_size=16),
    # Kaggle's unquoted commas need the name in the last place.
    st.permutations(list(COLUMNS)[:-1]).map(lambda first: [*first, list(COLUMNS)[-1]]),
    st.sampled_from([b"\n", b"\r\n"]),
    st.sampled_from([b"", b"\xef\xbb\xbf"]),
    st.dictionaries(IDS, st.sampled_from(GOOD_PICTURES + BAD_PICTURES), max_size=12),
)


@pytest.fixture(scope="module")
def warehouse(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(spark, tmp_path_factory.mktemp("any") / "warehouse")


def as_bytes(line: Product | bytes, columns: list[str]) -> bytes:
    if isinstance(line, bytes):
        return line
    values = {"id": line.product_id, "year": line.year, "productDisplayName": line.name}
    row = [str(values.get(column, column)) for column in columns]
    if line.quoted or '"' in line.name:
        text = io.StringIO()
        csv.writer(text, lineterminator="").writerow(row)
        return text.getvalue().encode()
    return ",".join(row).encode()


def write(drawn: Drawn, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "images").mkdir(parents=True)
    lines = [",".join(drawn.columns).encode()]
    lines += [as_bytes(line, drawn.columns) for line in drawn.lines]
    (folder / "styles.csv").write_bytes(drawn.mark + drawn.line_end.join(lines) + drawn.line_end)
    for product_id, content in drawn.pictures.items():
        (folder / "images" / f"{product_id}.jpg").write_bytes(content)


# No shrinking: an example is a run of seconds.
@settings(
    max_examples=6,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
@given(drawn=catalogues)
def test_nothing_is_lost_and_good_rows_survive(
    warehouse: Store, tmp_path_factory: pytest.TempPathFactory, drawn: Drawn
) -> None:
    folder = tmp_path_factory.getbasetemp() / "any-catalogue"
    write(drawn, folder)
    with recorded(warehouse, "ingest") as run:
        ingest(warehouse, folder, CONFIG.ingest, run, **FURTHER, allow_removal=True)
    winners = {line.product_id: line for line in drawn.lines if isinstance(line, Product)}
    pictures = {
        i: content
        for i, content in drawn.pictures.items()
        if i in winners and content in GOOD_PICTURES
    }
    found = warehouse.read(PRODUCTS).collect()
    assert {row.product_id: (row.product_display_name, row.year) for row in found} == {
        i: (line.name or None, line.year) for i, line in winners.items()
    }
    assert {i.product_id for i in found if i.image_sha256} == set(pictures)
    images = warehouse.read(IMAGES).collect()
    assert {row.product_id: bytes(row.content) for row in images} == pictures
    lost = [line for line in drawn.lines if not (isinstance(line, bytes) and not line.strip())]
    rejects = [row.source for row in warehouse.read(REJECTS).collect()]
    assert len(found) + rejects.count("styles.csv") == len(lost)
    assert len(images) + rejects.count("images") == len(drawn.pictures)
    assert run.counts["ingest.blank_lines"] == len(drawn.lines) - len(lost)
