"""One pinned version of a Delta table as petastorm may read it: its live files, by split. No Spark.

petastorm knows no Delta: given the folder it also reads files that the table has let go of.
"""

from collections import defaultdict
from dataclasses import dataclass
from urllib.parse import unquote

import deltalake
import pyarrow.parquet as pq

from fashionrec.errors import FashionrecError
from fashionrec.paths import open_file


@dataclass(frozen=True)
class Part:
    """Files in order, and the rows of each of their row groups."""

    files: tuple[str, ...]
    rows: tuple[int, ...]

    def of_rank(self, rank: int, ranks: int) -> int:
        """Rows of the row groups that petastorm gives to a rank."""
        return sum(self.rows[rank::ranks])


@dataclass(frozen=True)
class Snapshot:
    """A table at a version; `parts` by split."""

    path: str
    version: int
    parts: dict[str, Part]

    def check_even(self, ranks: int) -> None:
        """Refuse row groups that would give ranks shares that differ by more than a row.

        Raises:
            FashionrecError: uneven, or too few of them.
        """
        for split, part in self.parts.items():
            shares = [part.of_rank(rank, ranks) for rank in range(ranks)]
            if min(shares) == 0 or max(shares) - min(shares) > 1:
                raise FashionrecError(
                    f"{self.path} at version {self.version}: {ranks} processes would get {shares} "
                    f"rows of {split}: run finetune without --resume, which lays the table out anew"
                )


def snapshot(path: str, version: int) -> Snapshot:
    """Return the table at a version; each file's rows must be of one split.

    Raises:
        FashionrecError: rows are deleted by deletion vectors, columns are mapped, or splits are
            mixed within a file.
    """
    groups: dict[str, list[tuple[str, list[int]]]] = defaultdict(list)
    for file in live_files(path, version):
        split, rows = _footer(file)
        groups[split].append((file, rows))
    parts = {
        split: Part(tuple(f for f, _ in found), tuple(n for _, rows in found for n in rows))
        for split, found in groups.items()
    }
    return Snapshot(path, version, parts)


def live_files(path: str, version: int) -> list[str]:
    """Return the files that the table consists of at a version, sorted.

    Raises:
        FashionrecError: not every row of them is live, or their columns have other names.
    """
    table = deltalake.DeltaTable(path, version=version)
    mapping = table.metadata().configuration.get("delta.columnMapping.mode", "none")
    features = table.protocol().reader_features or []
    if "deletionVectors" in features or mapping != "none":
        found = "deletion vectors" if "deletionVectors" in features else "column mapping"
        raise FashionrecError(
            f"{path}: uses {found}, which petastorm cannot read: rewrite the table without"
        )
    return sorted(unquote(uri.removeprefix("file://")) for uri in table.file_uris())


def _footer(file: str) -> tuple[str, list[int]]:
    """Return the split that all rows of a file have, and the rows of its row groups."""
    with open_file(file) as stream:
        metadata = pq.read_metadata(stream)
    column = metadata.schema.names.index("split")
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    statistics = [group.column(column).statistics for group in groups]
    found = {value for each in statistics for value in (each.min, each.max)}
    if len(found) != 1:
        raise FashionrecError(
            f"{file}: mixes rows of {sorted(found)}: run finetune without --resume, which lays the "
            "table out anew"
        )
    return found.pop(), [group.num_rows for group in groups]
