"""The step `ingest`: a catalogue folder into products, images, rejects and files."""

from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fashionrec.config import IngestSettings
from fashionrec.errors import FashionrecError
from fashionrec.ingest import derive, frames
from fashionrec.ingest.listing import find_styles
from fashionrec.ingest.pictures import Limits
from fashionrec.ingest.styles import BLANK, Header, read_header
from fashionrec.runs import Run
from fashionrec.store import CHANGE, Store, Written, count_changes
from fashionrec.tables import FILES, IMAGES, PRODUCTS, REJECTS

_ROWS_PER_IMAGE_FILE = 8_000  # a MERGE rewrites whole files: small ones, each a range of ids


@dataclass(frozen=True)
class _Catalogue:
    """A catalogue as DataFrames: lines, entries, what they hold, and what becomes of pictures."""

    lines: DataFrame
    entries: DataFrame
    files: DataFrame
    pictures: DataFrame

    def unpersist(self) -> None:
        for frame in (self.lines, self.entries, self.files, self.pictures):
            frame.unpersist()


def ingest(store: Store, folder: Path, settings: IngestSettings, run: Run) -> None:
    """Make the tables say what the catalogue says, writing only what differs.

    Raises:
        FashionrecError: no readable styles.csv with the needed columns; nothing was written.
    """
    header = read_header(find_styles(folder))
    catalogue = _read(store, folder, header, settings)
    counts = _line_counts(catalogue.lines) | _picture_counts(catalogue.pictures)
    _check_conservation(counts)
    written = _write(store, folder, settings, catalogue, run.run_id)
    catalogue.unpersist()
    changed = {f"{name}_changed": rows.total for name, rows in written.items()}
    run.count("ingest", **counts, **changed, ignored_columns=len(header.extra))


def _read(store: Store, folder: Path, header: Header, settings: IngestSettings) -> _Catalogue:
    lines = frames.lines_of(store.spark, find_styles(folder), header, settings.null_values)
    lines = lines.transform(derive.with_superseded).persist()
    entries = frames.entries_of(store.spark, folder).persist()
    limits = Limits(settings.max_pixels, settings.max_bytes)
    files = _files(store.read(FILES), entries, folder, limits).persist()
    return _Catalogue(lines, entries, files, derive.pictures_of(files, lines).persist())


def _files(known: DataFrame, entries: DataFrame, folder: Path, limits: Limits) -> DataFrame:
    """Return the table `files`: what is known of unchanged entries, and the others examined."""
    named = entries.withColumns(
        {
            "mtime": F.timestamp_micros("mtime"),
            "checks": F.lit(f"max_pixels={limits.max_pixels} max_bytes={limits.max_bytes}"),
        }
    ).select("path", "kind", "product_id", "size", "mtime", "checks")
    # What could not be read is tried again: a permission that changed leaves no trace here.
    known = known.where("sha256 IS NOT NULL").drop("kind", "product_id")
    kept = named.join(known, on=["path", "size", "mtime", "checks"], how="inner").persist()
    unknown = entries.join(kept, on="path", how="left_anti")
    found = frames.examined(unknown, folder, limits)
    return kept.unionByName(named.join(found, on="path", how="inner")).select(*FILES.names)


def _write(
    store: Store, folder: Path, settings: IngestSettings, catalogue: _Catalogue, run_id: str
) -> dict[str, Written]:
    lines, files, pictures = catalogue.lines, catalogue.files, catalogue.pictures
    rejects = derive.rejects(lines, pictures, files, run_id)
    return {
        "images": _write_images(store, folder, settings, catalogue),
        "products": store.sync(PRODUCTS, derive.products(lines, pictures, files)),
        "rejects": store.sync(REJECTS, rejects, ignore=["run_id"]),
        "files": store.sync(FILES, files),
    }


def _write_images(
    store: Store, folder: Path, settings: IngestSettings, catalogue: _Catalogue
) -> Written:
    """Compare without content, then read only the bytes of what differs."""
    images = derive.images(catalogue.pictures)
    changes = store.changes(IMAGES, images, derive.image_columns()).persist()
    written = count_changes(changes)
    kept = changes.where(f"{CHANGE} <> 'delete'").join(
        catalogue.entries.drop("product_id"), on="path", how="inner"
    )
    count = written.inserted + written.updated
    parts = max(store.spark.sparkContext.defaultParallelism, count // _ROWS_PER_IMAGE_FILE)
    ordered = kept.repartitionByRange(parts, "product_id").sortWithinPartitions("product_id")
    filled = frames.with_content(ordered, folder, settings.max_bytes)
    gone = changes.where(f"{CHANGE} = 'delete'").withColumn("content", F.lit(None).cast("binary"))
    columns = [CHANGE, *IMAGES.names]
    rows = filled.select(*columns)
    if written.deleted:
        rows = rows.unionByName(gone.select(*columns))
    store.apply(IMAGES, rows, written)
    changes.unpersist()
    return written


def _line_counts(lines: DataFrame) -> dict[str, int]:
    blank, good = F.col("reason") == BLANK, F.col("reason").isNull()
    row = lines.agg(
        F.count_if(~blank | good).alias("lines"),
        F.count_if(blank).alias("blank_lines"),
        F.count_if(good).alias("products"),
        F.count_if(~blank).alias("rejected_lines"),
    ).first()
    assert row is not None
    return row.asDict()


def _picture_counts(pictures: DataFrame) -> dict[str, int]:
    good, owned = F.col("reason").isNull(), F.col("wanted").isNotNull()
    row = pictures.agg(
        F.count("*").alias("image_entries"),
        F.count_if(good).alias("images"),
        F.count_if(~good & owned).alias("rejected_images"),
        F.count_if(~owned).alias("images_of_no_product"),
    ).first()
    assert row is not None
    return row.asDict()


def _check_conservation(counts: dict[str, int]) -> None:
    """Raise unless every line and every image entry is accounted for."""
    sums = {
        "lines": ("products", "rejected_lines"),
        "image_entries": ("images", "rejected_images", "images_of_no_product"),
    }
    for whole, parts in sums.items():
        if counts[whole] != sum(counts[part] for part in parts):
            told = ", ".join(f"{part} {counts[part]:,}" for part in parts)
            raise FashionrecError(f"ingest: {counts[whole]:,} {whole} are not {told}: report this")
