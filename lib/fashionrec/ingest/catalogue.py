"""Reading a catalogue: its lines, its files and, for products without a picture, its links."""

from dataclasses import dataclass, replace
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fashionrec.ingest import derive, frames, linked
from fashionrec.ingest.csv_lines import Header
from fashionrec.ingest.entries import CANNOT_READ, DETAILS, IMAGE, LINK, LINKS, STYLES
from fashionrec.ingest.expectations import as_text
from fashionrec.ingest.listing import find_styles
from fashionrec.ingest.pictures import Limits
from fashionrec.settings import Expectations, FetchSettings, IngestSettings

_RULES = 1  # raise it when reading a file comes to mean something else: all are then read again


@dataclass(frozen=True)
class Catalogue:
    """A catalogue as DataFrames: lines, entries, what they hold, and what becomes of pictures.

    `links` are the lines of images.csv, `fetched` the bytes of links by path.
    """

    lines: DataFrame
    entries: DataFrame
    files: DataFrame
    pictures: DataFrame
    links: DataFrame
    fetched: DataFrame

    def unpersist(self) -> None:
        """Forget what was kept for the steps to come."""
        for frame in vars(self).values():
            frame.unpersist()


@dataclass(frozen=True)
class Source:
    """Where a catalogue is, what `known` rows of the table `files` say of it, and the settings.

    `checks` are those of `checks_of`.
    """

    folder: Path
    header: Header
    known: DataFrame
    checks: dict[str, str]
    settings: IngestSettings
    fetching: FetchSettings

    @property
    def limits(self) -> Limits:
        """What a picture may have at most."""
        return Limits(self.settings.max_pixels, self.settings.max_bytes)


def checks_of(settings: IngestSettings, expectations: Expectations) -> dict[str, str]:
    """Return, for each kind of file, the settings that its examination depends on.

    What is expected of products goes with styles.csv: they are judged anew where it changes.
    """
    of_lines = f"null_values={settings.null_values} expectations={as_text(expectations)}"
    limits = f"rules={_RULES} max_bytes={settings.max_bytes}"
    return {
        STYLES: f"rules={_RULES} {of_lines}",
        IMAGE: f"{limits} max_pixels={settings.max_pixels}",
        DETAILS: limits,
        LINKS: f"rules={_RULES} fetch_links={settings.fetch_links}",
        LINK: f"{limits} max_pixels={settings.max_pixels}",
    }


def read_catalogue(source: Source, entries: DataFrame) -> Catalogue:
    """Read the catalogue, of its files and links only what is not known.

    Raises:
        FashionrecError: images.csv lacks a needed column.
    """
    entries = entries.persist()
    lines = frames.lines_of(
        entries.sparkSession,
        find_styles(source.folder),
        source.header,
        source.settings.null_values,
    )
    lines = lines.transform(derive.with_superseded).persist()
    files = _files(source, entries).persist()
    pictures = derive.pictures_of(files, lines).persist()
    links = linked.no_links(entries.sparkSession)
    fetched = entries.where("false").select("path", F.lit(None).cast("binary").alias("content"))
    catalogue = Catalogue(lines, entries, files, pictures, links, fetched)
    return _with_links(source, catalogue) if (source.folder / LINKS).is_file() else catalogue


def _with_links(source: Source, catalogue: Catalogue) -> Catalogue:
    """Add the links of the products that have no picture otherwise."""
    lines, settings = catalogue.lines, source.settings
    links = linked.links_of(lines.sparkSession, source.folder).persist()
    missing = derive.unpictured(lines, catalogue.pictures)
    needed = linked.needed_entries(
        links, missing, source.folder, source.checks, fetch_links=settings.fetch_links
    )
    entries = catalogue.entries.unionByName(needed).persist()
    catalogue = replace(catalogue, entries=entries, links=links)
    needed = entries.where(F.col("kind") == LINK)  # looked at once
    if needed.isEmpty():
        return catalogue
    fetched = linked.examined_links(
        needed, _knowledge(source.known), source.folder, source.limits, source.fetching
    )
    found = _named(needed).join(fetched.drop("content"), on="path", how="inner")
    files = catalogue.files.unionByName(found).persist()
    pictures = derive.pictures_of(files, lines).persist()
    return replace(catalogue, files=files, pictures=pictures, fetched=fetched)


def _files(source: Source, entries: DataFrame) -> DataFrame:
    """Return the rows of `files`: what is known of unchanged entries, and the others examined."""
    named = _named(entries)
    known = _knowledge(source.known).drop("kind", "product_id")
    kept = named.join(known, on=["path", "size", "mtime", "checks"], how="inner").persist()
    unknown = entries.join(kept, on="path", how="left_anti")
    found = frames.examined(unknown, source.folder, source.limits)
    return kept.unionByName(named.join(found, on="path", how="inner"))


def _knowledge(files: DataFrame) -> DataFrame:
    """Leave out what could not be read: it is tried again."""
    return files.where(~F.coalesce("problem", F.lit("")).startswith(CANNOT_READ))


def _named(entries: DataFrame) -> DataFrame:
    named = entries.withColumn("mtime", F.timestamp_micros("mtime"))
    return named.select("path", "kind", "product_id", "size", "mtime", "checks", "line", "raw")
