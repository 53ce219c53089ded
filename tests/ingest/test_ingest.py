"""The step on the drawn catalogue, whose faults are known, and on copies of it that change."""

import errno
import io
import os
import shutil
import tarfile
from collections import Counter
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from fashionrec.config import load
from fashionrec.errors import FashionrecError, RefusedError
from fashionrec.ingest import frames, tars
from fashionrec.ingest.ingest import ingest
from fashionrec.ingest.listed import FOLDER
from fashionrec.runs import recorded
from fashionrec.store import Store
from fashionrec.tables import FILES, IMAGES, PRODUCTS, REJECTS, RUNS

CONFIG = load()
SETTINGS = CONFIG.ingest
FURTHER = {"fetching": CONFIG.fetch, "expectations": CONFIG.expectations}


@pytest.fixture
def copy(catalogue: Path, tmp_path: Path) -> Path:
    shutil.copytree(catalogue, tmp_path / "copy")  # keeps modification times
    return tmp_path / "copy"


def run(store: Store, folder: Path, **options: bool) -> dict[str, int]:
    with recorded(store, "ingest") as current:
        ingest(store, folder, SETTINGS, current, **FURTHER, **options)
    return current.counts


def versions(store: Store) -> dict[str, int]:
    return {name: v for name, v in store.versions().items() if name != RUNS.name}


def test_every_line_and_picture_is_accounted_for(night: Store, catalogue: Path) -> None:
    lines = catalogue.joinpath("styles.csv").read_bytes().split(b"\n")[1:]
    files = list(catalogue.joinpath("images").iterdir())
    counts = night.read(RUNS).first().counts
    assert counts["ingest.products"] + counts["ingest.rejected_lines"] == sum(map(bool, lines))
    assert counts["ingest.image_entries"] == len(files)
    assert counts["ingest.products"] == night.read(PRODUCTS).count() == 80
    assert counts["ingest.images"] == night.read(IMAGES).count()
    reasons = Counter((row.source, row.reason) for row in night.read(REJECTS).collect())
    assert reasons == {
        ("styles.csv", "a later line has the same id"): 3,
        ("styles.csv", "the id is no whole number below 2^63"): 2,
        ("styles.csv", "not UTF-8"): 1,
        ("styles.csv", "2 fields, the header has 10"): 1,
        ("cells", "no four-digit year"): 3,
        ("images", "truncated image"): 3,
        ("images", "empty file"): 2,
        ("images", "not an image"): 1,
        ("images", "picture of no product"): 2,
        ("styles.json", "not JSON in UTF-8"): 2,
    }


def test_content_is_stored_as_found(night: Store, catalogue: Path) -> None:
    for row in night.read(IMAGES).select("product_id", "content").collect():
        found = catalogue / "images" / f"{row.product_id}.jpg"
        assert bytes(row.content) == found.read_bytes()


def test_names_and_details_survive(night: Store, catalogue: Path) -> None:
    names = {row.product_id: row for row in night.read(PRODUCTS).collect()}
    commas = [row for row in names.values() if "," in row.product_display_name]
    assert len(commas) == 6 + 2
    text = catalogue.joinpath("styles.csv").read_text("utf-8-sig", errors="replace")
    for row in commas:
        name = row.product_display_name
        assert name in text or name.replace('"', '""') in text
    assert sum(row.price is None for row in names.values()) == 2
    priced = next(row for row in names.values() if row.price is not None)
    assert priced.discounted_price <= priced.price
    assert priced.brand


def test_an_unchanged_catalogue_writes_nothing(night: Store, catalogue: Path) -> None:
    before = versions(night)
    run(night, catalogue)
    assert versions(night) == before


def test_an_unchanged_catalogue_is_not_read(
    night: Store, catalogue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_args: object) -> None:
        raise AssertionError("a file was read")

    monkeypatch.setattr(frames, "lines_of", read)
    counts = run(night, catalogue)
    assert (counts["ingest.products"], counts["ingest.images_changed"]) == (80, 0)
    with pytest.raises(AssertionError, match="a file was read"):
        run(night, catalogue, verify=True)


def test_verify_finds_what_size_and_time_hide(night: Store, copy: Path) -> None:
    target = copy / "images" / f"{night.read(IMAGES).first().product_id}.jpg"
    times = (target.stat().st_atime_ns, target.stat().st_mtime_ns)
    content = bytearray(target.read_bytes())
    content[-30] ^= 1  # a bit of the last pixels
    target.write_bytes(content)
    os.utime(target, ns=times)
    assert run(night, copy)["ingest.images_changed"] == 0
    assert run(night, copy, verify=True)["ingest.images_changed"] == 1
    row = night.read(IMAGES).where(f"product_id = {target.stem}").first()
    assert bytes(row.content) == bytes(content)


def test_other_limits_examine_the_pictures_again(night: Store, catalogue: Path) -> None:
    small = SETTINGS.model_copy(update={"max_pixels": 180 * 240 - 1})
    with recorded(night, "ingest") as current:
        ingest(night, catalogue, small, current, **FURTHER, allow_removal=True)
    assert current.counts["ingest.images"] == 0
    assert night.read(IMAGES).count() == 0
    # The 70, and 5 that were rejects before: their size is known before they are decoded.
    assert night.read(REJECTS).where("reason = 'more than 43,199 pixels'").count() == 75


@pytest.mark.parametrize("lost", ["products", "usable pictures"])
def test_a_half_copied_catalogue_is_refused(night: Store, copy: Path, lost: str) -> None:
    if lost == "products":
        lines = (copy / "styles.csv").read_bytes().split(b"\n")
        (copy / "styles.csv").write_bytes(b"\n".join(lines[:40]))
    else:
        for path in sorted((copy / "images").iterdir())[:40]:
            path.unlink()
    before = versions(night)
    with pytest.raises(RefusedError, match=f"has lost .* {lost} .*--allow-removal"):
        run(night, copy)
    assert versions(night) == before
    assert night.read(RUNS).orderBy("started_at", ascending=False).first().status == "refused"
    assert not Path(night.warehouse, FOLDER).exists()
    run(night, copy, allow_removal=True)
    assert versions(night) != before
    assert not Path(night.warehouse, FOLDER).exists()


def test_a_moved_catalogue_refreshes_files_alone(night: Store, copy: Path) -> None:
    for path in copy.rglob("*.jpg"):
        path.touch()
    before = versions(night)
    run(night, copy)
    after = versions(night)
    assert after.pop("files") == before.pop("files") + 1
    assert after == before


def test_changed_removed_and_added_pictures(night: Store, copy: Path) -> None:
    rows = night.read(IMAGES).orderBy("product_id").limit(3).collect()
    changed, removed, other = (row.product_id for row in rows)
    content = (copy / f"images/{other}.jpg").read_bytes()
    (copy / f"images/{changed}.jpg").write_bytes(content)
    (copy / f"images/{removed}.jpg").unlink()
    gone = night.read(PRODUCTS).where("image_sha256 IS NULL").first().product_id
    (copy / f"images/{gone}.jpg").write_bytes(content)
    counts = run(night, copy)
    assert counts["ingest.images_changed"] == 3
    images = {row.product_id: row for row in night.read(IMAGES).collect()}
    assert images[changed].sha256 == images[gone].sha256 == images[other].sha256
    assert bytes(images[changed].content) == content
    assert removed not in images
    products = {row.product_id: row for row in night.read(PRODUCTS).collect()}
    assert products[removed].image_sha256 is None
    assert products[gone].image_sha256 == images[other].sha256


def test_a_removed_product_goes_and_its_picture_is_listed(night: Store, copy: Path) -> None:
    product_id = night.read(IMAGES).agg({"product_id": "min"}).first()[0]
    styles = copy / "styles.csv"
    kept = [
        line
        for line in styles.read_bytes().split(b"\n")
        if not line.startswith(f"{product_id},".encode())
    ]
    styles.write_bytes(b"\n".join(kept))
    run(night, copy)
    mine = f"product_id = {product_id}"
    assert night.read(PRODUCTS).where(mine).count() == 0
    assert night.read(IMAGES).where(mine).count() == 0
    reject = night.read(REJECTS).where(f"position = 'images/{product_id}.jpg'").first()
    assert reject.reason == "picture of no product"


def test_a_missing_column_stops_before_anything_is_written(night: Store, copy: Path) -> None:
    styles = copy / "styles.csv"
    styles.write_bytes(styles.read_bytes().replace(b"season", b"saison", 1))
    before = versions(night)
    with pytest.raises(FashionrecError, match=r"lacks \[season\]"):
        run(night, copy)
    assert versions(night) == before
    last = night.read(RUNS).orderBy("started_at", ascending=False).first()
    assert (last.status, "season" in last.message) == ("failed", True)


def test_a_shard_that_cannot_be_read_changes_nothing(
    store: Store, catalogue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = tmp_path / "shop"
    shop.mkdir()
    shutil.copy(catalogue / "styles.csv", shop)
    with tarfile.open(shop / "images.tar", "w") as tar:
        tar.add(catalogue / "images", "images")
    run(store, shop)
    before = versions(store)

    def fail(_: Path) -> io.RawIOBase:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(tars, "open_raw", fail)
    with pytest.raises(FashionrecError) as raised:
        run(store, shop, allow_removal=True)
    assert str(raised.value) == f"{shop}/images.tar: cannot be read: Input/output error"
    assert versions(store) == before
    last = store.read(RUNS).orderBy("started_at", ascending=False).first()
    assert (last.status, last.message) == ("failed", str(raised.value))


def test_files_win_over_tar_members(store: Store, spark: SparkSession, tmp_path: Path) -> None:
    from PIL import Image

    header = "id,gender,masterCategory,subCategory,articleType,baseColour,season,year,usage,"
    text = header + "productDisplayName\n1,,,,,,,,,One\n2,,,,,,,,,Two\n"
    (tmp_path / "styles.csv").write_text(text)
    (tmp_path / "images").mkdir()
    for name, colour in {"1": "red", "2": "blue"}.items():
        Image.new("RGB", (8, 8), colour).save(tmp_path / "images" / f"{name}.jpg")
    with tarfile.open(tmp_path / "images-1.tar", "w") as tar:
        tar.add(tmp_path / "images", "images")
    (tmp_path / "images" / "2.jpg").write_bytes(b"")
    counts = run(store, tmp_path)
    assert counts["ingest.image_entries"] == 4
    assert counts["ingest.images"] == 2  # the tar's picture of 2 makes up for the empty file
    rejects = {row.position: row.reason for row in store.read(REJECTS).collect()}
    assert rejects == {
        "images-1.tar!images/1.jpg": "the product has another picture",
        "images/2.jpg": "empty file",
    }
    paths = {
        row.path for row in store.read(FILES).where("kind = 'image' AND problem IS NULL").collect()
    }
    assert paths == {"images/1.jpg", "images-1.tar!images/1.jpg", "images-1.tar!images/2.jpg"}
