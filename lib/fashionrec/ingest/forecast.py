"""What an ingest would do, told without Spark and without reading a picture."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from fashionrec import duck
from fashionrec.ingest.catalogue import checks_of
from fashionrec.ingest.csv_lines import line_ranges, read_header
from fashionrec.ingest.guards import refuse_loss
from fashionrec.ingest.known import FileChanges, compare_files
from fashionrec.ingest.links import is_wanted, path_of, read_links
from fashionrec.ingest.listed import listed, write_rows
from fashionrec.ingest.listing import find_styles
from fashionrec.ingest.shards import FOLDER, Shards
from fashionrec.ingest.styles import BLANK, COLUMNS, read_records
from fashionrec.paths import at
from fashionrec.read import TableReader
from fashionrec.settings import Expectations, IngestSettings
from fashionrec.tables import FILES, PRODUCTS

_PRODUCTS = """
    WITH ids AS (
        SELECT DISTINCT product_id AS id FROM read_parquet($lines) WHERE product_id IS NOT NULL
    )
    SELECT
        (SELECT count(*) FILTER (NOT blank) FROM read_parquet($lines)),
        count(id), count(*) FILTER (product_id IS NULL), count(*) FILTER (id IS NULL),
        count(product_id)
    FROM ids FULL JOIN products ON id = product_id
"""
_LINKS = """
    SELECT count(DISTINCT path) FROM read_parquet($links) link
    SEMI JOIN read_parquet($lines) line ON line.product_id = link.product_id
    ANTI JOIN files ON files.path = link.path
"""


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
    shards = Shards(at(reader.warehouse) / FOLDER, anew=verify, keep=False)
    with listed(folder, checks, shards.entries) as listing:
        files = compare_files(reader, folder, listing, checks, verify=verify)
        changing = verify or not files.none or not reader.state(FILES)
        with duck.questions(reader, PRODUCTS, FILES) as tables:
            lines = str(_write_lines(folder, settings, listing.parent))
            told = tables.execute(_PRODUCTS, {"lines": lines}).fetchall()
            ((count, products, new, gone, known),) = told
            if not allow_removal:
                refuse_loss("products", gone, known, settings.max_removed_share)
            links = 0
            if changing:
                wanted = str(_write_links(folder, settings, listing.parent))
                ((links,),) = tables.execute(_LINKS, {"links": wanted, "lines": lines}).fetchall()
    return IngestForecast(count, products, new, gone, files, links, changing)


def _write_lines(folder: Path, settings: IngestSettings, beside: Path) -> Path:
    """Write of each line of styles.csv its product, and whether it is blank."""
    styles = find_styles(folder)
    header = read_header(styles, COLUMNS)
    rows = (
        {"product_id": record.values.get("product_id"), "blank": record.reason == BLANK}
        for part in line_ranges(styles)
        for record in read_records(styles, header, part, settings.null_values)
    )
    schema = pa.schema({"product_id": pa.int64(), "blank": pa.bool_()})
    return write_rows(beside / "lines.parquet", rows, schema)


def _write_links(folder: Path, settings: IngestSettings, beside: Path) -> Path:
    """Write of each link that may be needed its product, and its path in the table `files`."""
    rows = (
        {"product_id": link.product_id, "path": path_of(link)}
        for link in read_links(folder)
        if is_wanted(link, settings.fetch_links)
    )
    schema = pa.schema({"product_id": pa.int64(), "path": pa.string()})
    return write_rows(beside / "wanted.parquet", rows, schema)
