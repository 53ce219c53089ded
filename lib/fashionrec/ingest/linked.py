"""Links of images.csv lifted into DataFrames: examined product by product, several at once."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from fashionrec.datafiles import Batches
from fashionrec.ingest.entries import Entry
from fashionrec.ingest.examine import examine_link
from fashionrec.ingest.frames import FINDINGS, arrow_schema, as_entry, rows_of
from fashionrec.ingest.hosts import Hosts
from fashionrec.ingest.links import Link
from fashionrec.ingest.listed import ENTRIES, as_batches, entry_rows
from fashionrec.ingest.pictures import Limits
from fashionrec.settings import FetchSettings

_AT_ONCE = 8  # products whose links one task fetches at a time, and keeps in memory
_KNOWN = ["path", "size", "mtime", "checks"]

_Row = dict[str, Any]


def unreadable_lines(spark: SparkSession, links: Sequence[Link]) -> DataFrame:
    """Return lines of images.csv that cannot be read: line, raw, reason."""
    rows = [(link.line, link.raw, link.reason) for link in links]
    return spark.createDataFrame(rows, "line BIGINT, raw STRING, reason STRING")


def needed_entries(
    spark: SparkSession, links: Sequence[Entry], checks: dict[str, str]
) -> DataFrame:
    """Return the entries of needed links, with the checks that they are examined under."""
    batches = as_batches(entry_rows(links, checks), ENTRIES)
    return spark.createDataFrame(pa.Table.from_batches(batches, ENTRIES))


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
