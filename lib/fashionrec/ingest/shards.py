"""What tar shards of an object store hold, kept below the warehouse: to list one is to read it."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq

from fashionrec.ingest.entries import IMAGE, Entry
from fashionrec.ingest.listed import ENTRIES, entry_rows, write_rows
from fashionrec.ingest.tars import list_tar
from fashionrec.paths import is_remote, open_file, write_whole

FOLDER = "_shards"  # below the warehouse
_FORM = 1  # raise it when the entries of a shard come to be others


class Shards:
    """Lists shards as they were listed last, where their names, sizes and times are the same.

    The files of this machine are not kept: there a header is read, and what follows is skipped.
    """

    def __init__(self, folder: Path, *, anew: bool = False, keep: bool = True) -> None:
        """`anew`: list all of them again; `keep`: for the next time."""
        self._folder, self._anew, self._keep = folder, anew, keep
        self._used: set[str] = set()

    def entries(self, catalogue: Path, shard: Entry) -> Iterator[Entry]:
        """List a shard; raises as `list_tar`."""
        if not is_remote(catalogue):
            return list_tar(catalogue, shard)
        file = self._folder / _name(catalogue, shard)
        self._used.add(file.name)
        if self._anew or not file.is_file():
            if not self._keep:
                return list_tar(catalogue, shard)
            _write(file, list_tar(catalogue, shard))
        return _read(file)

    def forget_others(self) -> None:
        """Remove what is kept of shards that were not listed."""
        kept = self._folder.iterdir() if self._folder.is_dir() else ()
        for file in [file for file in kept if file.name not in self._used]:
            file.unlink()


def _name(catalogue: Path, shard: Entry) -> str:
    told = (_FORM, str(ENTRIES), str(catalogue), shard.path, shard.size, shard.mtime)
    return f"{sha256(repr(told).encode()).hexdigest()}.parquet"


def _write(file: Path, entries: Iterator[Entry]) -> None:
    if not is_remote(file):
        file.parent.mkdir(exist_ok=True)
    with TemporaryDirectory(prefix="fashionrec-") as folder:
        rows = entry_rows(entries, {IMAGE: ""})
        content = write_rows(Path(folder, file.name), rows, ENTRIES).read_bytes()
    write_whole(file, content)


def _read(file: Path) -> Iterator[Entry]:
    with open_file(file) as stream, pq.ParquetFile(stream) as rows:
        for batch in rows.iter_batches():
            for row in batch.to_pylist():
                del row["checks"]
                yield Entry(**row)
