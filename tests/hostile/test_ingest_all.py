"""The whole corpus at once: nothing is lost, and every good row survives."""

import re
from pathlib import Path

from corpus import Case
from folders import MODELS, SOURCES, WAREHOUSES
from lines import HEADER, LINES, LINK_FILES, LINKS, LINKS_HEADER, STYLES
from pictures import DETAILS, JPEG, PICTURES
from settings import CATALOGUES, FILES, IDS, OPTIONS, VALUES
from tars import TARS

from conftest import RunJob
from fashionrec.store import Store
from fashionrec.tables import IMAGES, PRODUCTS, REJECTS, RUNS

TABLES = [
    *(LINES, STYLES, LINKS, LINK_FILES, PICTURES, DETAILS, TARS),
    *(VALUES, FILES, OPTIONS, IDS, CATALOGUES, MODELS, SOURCES, WAREHOUSES),
]
GOOD = range(100_000, 100_020)


def test_the_corpus_is_large() -> None:
    names = [(i, case.name) for i, table in enumerate(TABLES) for case in table]
    assert len(set(names)) == len(names) >= 200


def hostile_catalogue(folder: Path) -> dict[str, Case]:
    """Write good products, and every bad file and line among them; return cases by their path."""
    placed = {f"images/{200_000 + i}.jpg": case for i, case in enumerate(PICTURES)}
    placed |= {f"styles/{300_000 + i}.json": case for i, case in enumerate(DETAILS)}
    placed |= {f"images-{i:03}.tar": case for i, case in enumerate(TARS)}
    for path, case in placed.items():
        case.write(folder / path)
    for product_id in GOOD:
        (folder / "images" / f"{product_id}.jpg").write_bytes(JPEG)
    ids = [*GOOD, *(int(Path(path).stem) for path in placed if path[6] == "/")]
    good = [
        b"%d,Men,Apparel,Wear,Shirts,Blue,Fall,2012,Casual,n" % product_id for product_id in ids
    ]
    lines = [HEADER, *good[:9], *(bytes(case.content) for case in LINES), *good[9:]]
    (folder / "styles.csv").write_bytes(b"\n".join(lines))
    links = [LINKS_HEADER, *(bytes(case.content) for case in LINKS)]
    (folder / "images.csv").write_bytes(b"\n".join(links))
    return placed


def test_one_catalogue_with_all_of_it(store: Store, run_job: RunJob, tmp_path: Path) -> None:
    placed = hostile_catalogue(tmp_path / "catalogue")
    options = ("--catalogue", tmp_path / "catalogue", "--warehouse", store.warehouse)
    assert run_job("ingest", *options) == 0
    counts = {k.removeprefix("ingest."): v for k, v in store.read(RUNS).first().counts.items()}
    assert counts["lines"] == counts["products"] + counts["rejected_lines"]
    parts = ("images", "rejected_images", "images_of_no_product")
    assert counts["image_entries"] == sum(counts[part] for part in parts)
    products = {row.product_id: row for row in store.read(PRODUCTS).collect()}
    pictures = {row.product_id: bytes(row.content) for row in store.read(IMAGES).collect()}
    for product_id in GOOD:
        assert products[product_id].image_sha256
        assert pictures[product_id] == JPEG
    rejects = store.read(REJECTS).collect()
    assert counts["rejected_lines"] == sum(row.source == "styles.csv" for row in rejects)
    for path, case in placed.items():
        said = [f"{r.reason} {r.position}" for r in rejects if r.position.startswith(path)]
        assert any(re.search(case.says.replace("unreadable ", ""), text) for text in said), (
            case.name,
            said,
        )
