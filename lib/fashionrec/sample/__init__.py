"""Draws a sample catalogue in the layout of Kaggle's Fashion Product Images, faults included."""

import codecs
import logging
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from fashionrec.sample.faults import Catalogue, spoil
from fashionrec.settings import SampleSettings

__all__ = ["draw_catalogue", "ensure_catalogue"]

log = logging.getLogger(__name__)

FEWEST = 60  # each fault has products of its own
HEADER = (
    b"id,gender,masterCategory,subCategory,articleType,baseColour,season,year,usage,"
    b"productDisplayName"
)


def draw_catalogue(folder: Path, *, products: int = 600, seed: int = 7) -> dict[str, int]:
    """Draw styles.csv, images.csv, images/ID.jpg and styles/ID.json, the same bytes for a seed.

    Returns how many products and picture files there are, and how many cases of each fault (see
    `faults.spoil`). Raises ValueError where `folder` holds something or the products are too few.
    """
    folder = folder.resolve()
    _refuse(folder, products)
    catalogue = Catalogue(products, seed)
    faults = spoil(catalogue)
    _write(folder, catalogue)
    return {"products": products, "pictures": len(catalogue.pictures), **faults}


def ensure_catalogue(folder: Path, settings: SampleSettings) -> Path:
    """Return the folder of the sample catalogue, drawing it where it is missing."""
    if not (folder / "styles.csv").exists():
        log.info("make-sample: drawing %d products into %s", settings.products, folder)
        draw_catalogue(folder, products=settings.products, seed=settings.seed)
    return folder


def _refuse(folder: Path, products: int) -> None:
    if products < FEWEST:
        raise ValueError(f"products is {products}; the faults need a catalogue of {FEWEST} or more")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} is not an empty folder; name a new one for the catalogue")


def _files(catalogue: Catalogue) -> Iterator[tuple[str, bytes]]:
    yield "styles.csv", codecs.BOM_UTF8 + b"\n".join([HEADER, *catalogue.lines, b""])
    links = (f"{i}.jpg,http://images.example.com/{i}.jpg\n" for i in sorted(catalogue.styles))
    yield "images.csv", "".join(["filename,link\n", *links]).encode()
    for product_id, picture in catalogue.pictures.items():
        yield f"images/{product_id}.jpg", picture
    for product_id, style in catalogue.styles.items():
        yield f"styles/{product_id}.json", style


def _write(folder: Path, catalogue: Catalogue) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as workshop:
        # A folder inside the temporary one has the usual permissions; its rename shows all at once.
        part = Path(workshop) / folder.name
        for parent in ("images", "styles"):
            (part / parent).mkdir(parents=True)
        for name, content in _files(catalogue):
            (part / name).write_bytes(content)
        part.rename(folder)
