"""The step `ingest`: a catalogue folder into products, images, rejects and files."""

import logging
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fashionrec.changes import CHANGE, Written, count_changes
from fashionrec.config import IngestSettings
from fashionrec.ingest import derive, frames
from fashionrec.ingest.counts import check_conservation, line_counts, picture_counts
from fashionrec.ingest.guards import check_removal, is_unchanged
from fashionrec.ingest.listing import (
    CANNOT_READ,
    DETAILS,
    IMAGE,
    STYLES,
    find_styles,
    list_catalogue,
    styles_entry,
)
from fashionrec.ingest.pictures import Limits
from fashionrec.ingest.styles import Header, read_header
from fashionrec.runs import Run
from fashionrec.store import Store
from fashionrec.tables import FILES, IMAGES, PRODUCTS, REJECTS

log = logging.getLogger(__name__)

_RULES = 1  # raise it when reading a file comes to mean something else: all are then read again
_CHANGED = ("images_changed", "products_changed", "rejects_changed", "files_changed")
# Files of `images`, each a range of ids, are small: a MERGE rewrites whole ones, and a file is the
# least that a task of `embed` reads.
_ROWS_PER_IMAGE_FILE, _BYTES_PER_IMAGE_FILE = 2_000, 64 << 20


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


def ingest(
    store: Store,
    folder: Path,
    settings: IngestSettings,
    run: Run,
    *,
    verify: bool = False,
    allow_removal: bool = False,
) -> None:
    """Make the tables say what the catalogue says, writing only what differs.

    A catalogue whose files all have the sizes and times of the last ingest is not read at all;
    `verify` reads every file whatever its time.

    Raises:
        FashionrecError: no readable styles.csv with the needed columns; nothing was written.
        RefusedError: too much of the catalogue is gone, and not `allow_removal`; likewise.
    """
    header = read_header(find_styles(folder))
    checks = _checks(settings)
    entries = [styles_entry(folder), *list_catalogue(folder)]
    known = store.state(FILES)
    if known and not verify and is_unchanged(store, entries, checks):
        log.info("ingest: no file of the catalogue has changed")
        run.count("ingest", **known["counts"], **dict.fromkeys(_CHANGED, 0))
        return
    listed = frames.entries_of(store.spark, entries, checks).persist()
    catalogue = _read(store, folder, header, listed, settings, verify)
    counts = line_counts(catalogue.lines) | picture_counts(catalogue.pictures)
    counts["ignored_columns"] = len(header.extra)
    check_conservation(counts)
    if not allow_removal:
        check_removal(store, catalogue.lines, catalogue.pictures, settings.max_removed_share)
    if header.extra:
        log.info("ingest: styles.csv has columns of no use: %s", ", ".join(header.extra))
    written = _write(store, folder, settings, catalogue, run.run_id, counts)
    catalogue.unpersist()
    run.count("ingest", **counts, **written)


def _checks(settings: IngestSettings) -> dict[str, str]:
    """Return, for each kind of file, the settings that its examination depends on."""
    limits = f"rules={_RULES} max_bytes={settings.max_bytes}"
    return {
        STYLES: f"rules={_RULES} null_values={settings.null_values}",
        IMAGE: f"{limits} max_pixels={settings.max_pixels}",
        DETAILS: limits,
    }


def _read(
    store: Store,
    folder: Path,
    header: Header,
    entries: DataFrame,
    settings: IngestSettings,
    verify: bool,
) -> _Catalogue:
    lines = frames.lines_of(store.spark, find_styles(folder), header, settings.null_values)
    lines = lines.transform(derive.with_superseded).persist()
    limits = Limits(settings.max_pixels, settings.max_bytes)
    known = store.read(FILES).where(F.lit(not verify))
    files = _files(known, entries, folder, limits).persist()
    return _Catalogue(lines, entries, files, derive.pictures_of(files, lines).persist())


def _files(known: DataFrame, entries: DataFrame, folder: Path, limits: Limits) -> DataFrame:
    """Return the table `files`: what is known of unchanged entries, and the others examined."""
    named = entries.withColumn("mtime", F.timestamp_micros("mtime"))
    named = named.select("path", "kind", "product_id", "size", "mtime", "checks")
    retried = F.coalesce("problem", F.lit("")).startswith(CANNOT_READ)
    known = known.where(~retried).drop("kind", "product_id")
    kept = named.join(known, on=["path", "size", "mtime", "checks"], how="inner").persist()
    unknown = entries.join(kept, on="path", how="left_anti")
    found = frames.examined(unknown, folder, limits)
    return kept.unionByName(named.join(found, on="path", how="inner")).select(*FILES.names)


def _write(
    store: Store,
    folder: Path,
    settings: IngestSettings,
    catalogue: _Catalogue,
    run_id: str,
    counts: dict[str, int],
) -> dict[str, int]:
    """Write `files` last: that it knows a file means that the other tables have its content."""
    lines, files, pictures = catalogue.lines, catalogue.files, catalogue.pictures
    rejects = derive.rejects(lines, pictures, files, run_id)
    written = (
        _write_images(store, folder, settings, catalogue),
        store.sync(PRODUCTS, derive.products(lines, pictures, files)),
        store.sync(REJECTS, rejects, ignore=["run_id"]),
        store.sync(FILES, files, state={"counts": counts}),
    )
    return {name: rows.total for name, rows in zip(_CHANGED, written, strict=True)}


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
    parts = _image_files(kept, store.spark.sparkContext.defaultParallelism)
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


def _image_files(images: DataFrame, parallelism: int) -> int:
    row = images.agg(F.count("*"), F.coalesce(F.sum("size"), F.lit(0))).first()
    assert row is not None
    rows, size = int(row[0]), int(row[1])
    return max(parallelism, rows // _ROWS_PER_IMAGE_FILE, size // _BYTES_PER_IMAGE_FILE)
