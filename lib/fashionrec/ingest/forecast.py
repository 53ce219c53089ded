"""What an ingest would do, told without Spark and without reading a picture."""

from dataclasses import dataclass
from pathlib import Path

from fashionrec.ingest.catalogue import checks_of
from fashionrec.ingest.csv_lines import line_ranges, read_header
from fashionrec.ingest.guards import refuse_loss
from fashionrec.ingest.known import FileChanges, compare_files
from fashionrec.ingest.links import read_needed
from fashionrec.ingest.listed import listed
from fashionrec.ingest.listing import find_styles
from fashionrec.ingest.styles import BLANK, COLUMNS, read_records
from fashionrec.read import TableReader
from fashionrec.settings import Expectations, IngestSettings
from fashionrec.tables import FILES, PRODUCTS


@dataclass(frozen=True)
class IngestForecast:
    """Counts of lines and products as listed, and of files.

    new, gone: products, against the table; links: of images.csv, at most so many would be read;
    changing: whether the tables may change at all.
    """

    lines: int
    products: int
    new: int
    gone: int
    files: FileChanges
    links: int
    changing: bool

    @property
    def pictures(self) -> int:
        """At most so many pictures would come to be known."""
        return self.files.pictures + self.links


def forecast_ingest(
    reader: TableReader,
    folder: Path,
    settings: IngestSettings,
    *,
    expectations: Expectations,
    verify: bool,
    allow_removal: bool,
) -> IngestForecast:
    """Compare a catalogue with the tables.

    Raises:
        FashionrecError: it is no catalogue.
        RefusedError: too many of the products are gone, and not `allow_removal`.
    """
    find_styles(folder)
    checks = checks_of(settings, expectations)
    with listed(folder, checks) as listing:
        files = compare_files(reader, folder, listing, checks, verify=verify)
    lines, ids = _products(folder, settings)
    known = _known_products(reader)
    gone = len(known - ids)
    if not allow_removal:
        refuse_loss("products", gone, len(known), settings.max_removed_share)
    changing = verify or not files.none or not reader.state(FILES)
    return IngestForecast(
        lines=lines,
        products=len(ids),
        new=len(ids - known),
        gone=gone,
        files=files,
        links=_links(reader, folder, ids, settings) if changing else 0,
        changing=changing,
    )


def _products(folder: Path, settings: IngestSettings) -> tuple[int, set[int]]:
    """Return the number of lines that are not blank, and the ids of the products in them."""
    styles = find_styles(folder)
    header, lines, ids = read_header(styles, COLUMNS), 0, set()
    for part in line_ranges(styles):
        for record in read_records(styles, header, part, settings.null_values):
            lines += record.reason != BLANK
            product_id = record.values.get("product_id")
            if isinstance(product_id, int):  # a rejected line has no values
                ids.add(product_id)
    return lines, ids


def _known_products(reader: TableReader) -> set[int]:
    if not reader.exists(PRODUCTS):
        return set()
    return set(reader.scan(PRODUCTS, ["product_id"]).to_table()["product_id"].to_pylist())


def _links(reader: TableReader, folder: Path, products: set[int], settings: IngestSettings) -> int:
    """Count the links that may be needed and are not known."""
    needed = {entry.path for entry in read_needed(folder, products, settings.fetch_links)[0]}
    if not needed or not reader.exists(FILES):
        return len(needed)
    return len(needed.difference(reader.scan(FILES, ["path"]).to_table()["path"].to_pylist()))
