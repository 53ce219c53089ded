"""A catalogue compared with what the table `files` knows of it: by name, and without Spark."""

from dataclasses import dataclass
from glob import escape
from itertools import chain
from pathlib import Path

from duckdb import DuckDBPyConnection

from fashionrec import duck
from fashionrec.ingest.entries import CANNOT_READ, IMAGE, LINK
from fashionrec.ingest.links import entries_of, known_link
from fashionrec.ingest.listed import ENTRIES, ROWS_PER_BATCH, entry_rows, write_rows
from fashionrec.read import TableReader
from fashionrec.tables import FILES

_COMPARE = """
    WITH compared AS (
        SELECT entry.kind, entry.size, known.path IS NULL AS new, entry.path IS NULL AS gone,
            NOT (new OR gone) AND (
                starts_with(coalesce(known.problem, ''), $cannot_read)
                OR entry.size IS DISTINCT FROM known.size
                OR entry.mtime IS DISTINCT FROM epoch_us(known.mtime)
                OR entry.checks IS DISTINCT FROM known.checks
            ) AS changed,
            CASE WHEN $verify THEN entry.kind <> $link ELSE new OR changed END AS read
        FROM read_parquet($entries) entry FULL JOIN files known ON entry.path = known.path
    )
    SELECT
        count(*) FILTER (new), count(*) FILTER (changed), count(*) FILTER (gone),
        count(*) FILTER (kind = $image), count(*) FILTER (read),
        coalesce(sum(size) FILTER (read), 0),
        count(*) FILTER (read AND kind = $image)
    FROM compared
"""


@dataclass(frozen=True)
class FileChanges:
    """How many entries are new, must be read again, or are gone, and how many are of pictures.

    read: how many would be read, of so many bytes, with so many pictures among them.
    """

    new: int
    changed: int
    gone: int
    image_entries: int
    read: int
    bytes: int
    pictures: int

    @property
    def none(self) -> bool:
        """Say whether every entry is known as it is."""
        return not (self.new or self.changed or self.gone)


def compare_files(
    reader: TableReader,
    folder: Path,
    listing: Path,
    checks: dict[str, str],
    *,
    verify: bool = False,
) -> FileChanges:
    """Compare the entries of `listed`, and the links that `files` knows, with the table.

    Which links are needed depends on the other files alone, so those that it knows still are.
    With `verify` every file would be read, but no entry has changed for it.
    """
    with duck.questions(reader, FILES) as connection:
        links = _write_known_links(connection, folder, listing.parent, checks)
        names = {
            "entries": [escape(str(file)) for file in (listing, links)],
            "cannot_read": CANNOT_READ,
            "image": IMAGE,
            "link": LINK,
            "verify": verify,
        }
        (found,) = connection.execute(_COMPARE, names).fetchall()
        return FileChanges(*found)


def _write_known_links(
    connection: DuckDBPyConnection, folder: Path, beside: Path, checks: dict[str, str]
) -> Path:
    """Write the links that `files` knows, as they are now."""
    known = connection.sql("SELECT path FROM files WHERE kind = ?", params=[LINK])
    paths = (batch["path"].to_pylist() for batch in known.to_arrow_reader(ROWS_PER_BATCH))
    entries = chain.from_iterable(entries_of(folder, map(known_link, batch)) for batch in paths)
    return write_rows(beside / "links.parquet", entry_rows(entries, checks), ENTRIES)
