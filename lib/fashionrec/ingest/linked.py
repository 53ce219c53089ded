"""Links of images.csv lifted into DataFrames: examined product by product, several at once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from fashionrec.datafiles import Batches
from fashionrec.ingest.csv_lines import LineRange, read_header
from fashionrec.ingest.entries import LINKS
from fashionrec.ingest.examine import examine_link
from fashionrec.ingest.frames import FINDINGS, arrow_schema, as_entry, read_lines, rows_of
from fashionrec.ingest.hosts import Hosts
from fashionrec.ingest.links import COLUMNS, Link, entries_of, is_wanted, links_in
from fashionrec.ingest.listed import ENTRIES, as_batches, entry_rows
from fashionrec.ingest.pictures import Limits
from fashionrec.settings import FetchSettings

_AT_ONCE = 8  # products whose links one task fetches at a time, and keeps in memory
_LINKS = "line BIGINT, raw STRING, product_id BIGINT, reason STRING"
_KNOWN = ["path", "size", "mtime", "checks"]

_Row = dict[str, Any]


def no_links(spark: SparkSession) -> DataFrame:
    """Return the links of a catalogue without images.csv."""
    return spark.createDataFrame([], _LINKS)


def links_of(spark: SparkSession, folder: Path) -> DataFrame:
    """Return every line of images.csv that is not blank; `reason` is null where it is a link.

    Raises:
        FashionrecError: it cannot be read, or lacks a column.
    """
    path = folder / LINKS
    header = read_header(path, COLUMNS)

    def read(part: LineRange) -> Iterator[_Row]:
        return map(vars, links_in(path, header, part))

    return read_lines(spark, path, read, _LINKS)


def needed_entries(
    links: DataFrame,
    products: DataFrame,
    folder: Path,
    checks: dict[str, str],
    *,
    fetch_links: bool,
) -> DataFrame:
    """Return an entry for each link of `products`, as rows of `listed.ENTRIES`.

    A link that stands twice for a product is one link.
    """

    def look(batches: Batches) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            links = (Link(**row) for row in batch.to_pylist())
            wanted = [link for link in links if is_wanted(link, fetch_links)]
            yield from as_batches(entry_rows(entries_of(folder, wanted), checks), ENTRIES)

    of_products = links.where("reason IS NULL").join(products, on="product_id", how="left_semi")
    first = of_products.groupBy("product_id", "raw").agg(F.min("line").alias("line"))
    return first.mapInArrow(look, from_arrow_schema(ENTRIES))


def examined_links(
    entries: DataFrame, known: DataFrame, folder: Path, limits: Limits, fetching: FetchSettings
) -> DataFrame:
    """Examine each product's links until one is usable: path, sha256, problem, facts, content.

    Links that `known` (rows of the table `files`) has are not examined again. `content` is null
    but for what was fetched. Later links of a product are not needed, and have no row.
    """
    schema = arrow_schema(entries.sparkSession, f"{FINDINGS}, content BINARY")

    def examine(batches: Batches) -> Iterator[pa.RecordBatch]:
        products = (list(rows) for _, rows in groupby(rows_of(batches), lambda r: r["product_id"]))
        hosts = Hosts(fetching)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            while portion := list(islice(products, _AT_ONCE)):
                found = pool.map(lambda rows: _until_usable(rows, folder, limits, hosts), portion)
                yield pa.RecordBatch.from_pylist([row for rows in found for row in rows], schema)

    findings = entries.join(_as_known(known), on=_KNOWN, how="left")
    tasks = entries.sparkSession.sparkContext.defaultParallelism
    findings = findings.repartition(tasks, "product_id").sortWithinPartitions("product_id", "line")
    found = findings.mapInArrow(examine, f"{FINDINGS}, content BINARY")
    # Never fetched twice: a server may answer differently, and pictures would fill the memory.
    return found.persist(StorageLevel.DISK_ONLY)


def _as_known(files: DataFrame) -> DataFrame:
    facts = [F.col(name).alias(f"known_{name}") for name in ("sha256", "problem", "facts")]
    mtime = F.unix_micros("mtime").alias("mtime")
    return files.select("path", "size", mtime, "checks", F.lit(True).alias("known"), *facts)


def _until_usable(rows: list[_Row], folder: Path, limits: Limits, hosts: Hosts) -> list[_Row]:
    found: list[_Row] = []
    for row in rows:
        found.append(_finding(row, folder, limits, hosts))
        if found[-1]["problem"] is None:
            break
    return found


def _finding(row: _Row, folder: Path, limits: Limits, hosts: Hosts) -> _Row:
    if row["known"]:
        names = ("sha256", "problem", "facts")
        return {name: row[f"known_{name}"] for name in names} | {"path": row["path"]}
    finding, content = examine_link(folder, as_entry(row), limits, hosts.fetch)
    facts = list(finding.facts.items())
    return vars(finding) | {"path": row["path"], "facts": facts, "content": content}
