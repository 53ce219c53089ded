"""The step `ingest`: a catalogue folder into products, images, rejects, violations and files."""

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fashionrec.ingest import derive, frames
from fashionrec.ingest.catalogue import Catalogue, Source, checks_of, read_catalogue
from fashionrec.ingest.counts import (
    check_conservation,
    line_counts,
    link_counts,
    picture_counts,
)
from fashionrec.ingest.csv_lines import read_header
from fashionrec.ingest.expectations import (
    Expectation,
    check_expectations,
    expectations_of,
    violations,
)
from fashionrec.ingest.guards import check_removal
from fashionrec.ingest.images import Reader, write_images
from fashionrec.ingest.known import compare_files
from fashionrec.ingest.listed import listed, shared
from fashionrec.ingest.listing import find_styles
from fashionrec.ingest.shards import FOLDER, Shards
from fashionrec.ingest.styles import COLUMNS, extra_columns
from fashionrec.paths import at
from fashionrec.runs import Run
from fashionrec.settings import Expectations, FetchSettings, IngestSettings
from fashionrec.store import Store
from fashionrec.tables import FILES, PRODUCTS, REJECTS, VIOLATIONS

log = logging.getLogger(__name__)

_CHANGED = tuple(
    f"{table}_changed" for table in ("images", "products", "rejects", "violations", "files")
)
_NOT_STATE = (*_CHANGED, "links_fetched")  # counts of what a run did, not of the catalogue


def ingest(
    store: Store,
    folder: Path,
    settings: IngestSettings,
    run: Run,
    *,
    fetching: FetchSettings,
    expectations: Expectations,
    verify: bool = False,
    allow_removal: bool = False,
) -> None:
    """Make the tables say what the catalogue says, writing only what differs.

    A catalogue whose files all have the sizes and times of the last ingest is not read at all;
    `verify` reads every file whatever its time.

    Raises:
        FashionrecError: styles.csv or images.csv lacks a needed column, or an expectation is none;
            nothing was written.
        RefusedError: too much of the catalogue is gone, and not `allow_removal`, or too many of its
            products fail an expectation that refuses; likewise.
    """
    header = read_header(find_styles(folder), COLUMNS)
    checks = checks_of(settings, expectations)
    shards = Shards(at(store.warehouse) / FOLDER, anew=verify)
    with listed(folder, checks, shards.entries) as listing:
        shards.forget_others()
        last = store.state(FILES)
        if last and not verify and compare_files(store, folder, listing, checks).none:
            log.info("ingest: no file of the catalogue has changed")
            run.count("ingest", **last["counts"], **dict.fromkeys(_NOT_STATE, 0))
            return
        expected = expectations_of(store.spark, expectations)
        known = store.read(FILES).where(F.lit(not verify))
        source = Source(folder, header, known, checks, settings, fetching)
        with shared(listing, store.warehouse) as file:
            catalogue = read_catalogue(source, frames.entries_of(store.spark, file))
            _bring_up_to_date(store, source, catalogue, expected, run, allow_removal)


def _bring_up_to_date(
    store: Store,
    source: Source,
    catalogue: Catalogue,
    expected: list[Expectation],
    run: Run,
    allow_removal: bool,
) -> None:
    settings = source.settings
    counts = line_counts(catalogue.lines) | picture_counts(catalogue.pictures)
    extra = extra_columns(source.header)
    counts["ignored_columns"] = len(extra)
    check_conservation(counts)
    if not allow_removal:
        check_removal(store, catalogue.lines, catalogue.pictures, settings.max_removed_share)
    products = derive.products(catalogue.lines, catalogue.pictures, catalogue.files)
    images = derive.images(catalogue.pictures)
    failing = violations(products, images, expected, run.run_id).persist()
    counts["violations"] = check_expectations(failing, counts["products"], expected, run)
    if extra:
        log.info("ingest: styles.csv has columns of no use: %s", ", ".join(extra))
    fetched = link_counts(catalogue.fetched)  # a write of `files` would make Spark fetch anew
    reader = Reader(source.folder, settings.max_bytes)
    written = _write(store, reader, catalogue, products, failing, run.run_id, counts)
    failing.unpersist()
    catalogue.unpersist()
    run.count("ingest", **counts, **written, **fetched)


def _write(
    store: Store,
    reader: Reader,
    catalogue: Catalogue,
    products: DataFrame,
    failing: DataFrame,
    run_id: str,
    counts: dict[str, int],
) -> dict[str, int]:
    lines, files, pictures = catalogue.lines, catalogue.files, catalogue.pictures
    rejects = derive.rejects(lines, pictures, files, catalogue.links, run_id)
    # Of few rows in dozens of parts, each of which would be a task with a call of Python.
    rejects = rejects.coalesce(store.spark.sparkContext.defaultParallelism)
    writes = (
        lambda: write_images(store, catalogue, reader),
        lambda: store.sync(PRODUCTS, products),
        lambda: store.sync(REJECTS, rejects, ignore=["run_id"]),
        lambda: store.sync(VIOLATIONS, failing, ignore=["run_id"]),
    )
    # At once: much of a small write is Spark's planning, on one core.
    with ThreadPoolExecutor(len(writes)) as pool:
        written = list(pool.map(lambda write: write(), writes))
    # Last: that `files` knows a file means that the other tables have its content.
    known = store.sync(FILES, files.select(*FILES.names), state={"counts": counts})
    return {name: rows.total for name, rows in zip(_CHANGED, [*written, known], strict=True)}
