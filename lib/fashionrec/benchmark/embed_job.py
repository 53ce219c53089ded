"""The step `embed` on a warehouse of its own, timed."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession

from fashionrec.benchmark.report import Figures, peak_memory, seconds_of
from fashionrec.embed.embed import embed
from fashionrec.embed.model import Model
from fashionrec.runs import recorded
from fashionrec.session import with_properties
from fashionrec.settings import EmbedSettings
from fashionrec.store import Store
from fashionrec.tables import IMAGES


@dataclass
class Job:
    """A warehouse whose `images` grow; all pictures count as distinct."""

    spark: SparkSession
    folder: Path
    settings: EmbedSettings
    workers: int
    pictures: int = 0

    @property
    def _store(self) -> Store:
        return Store(self.spark, self.folder / "warehouse")

    def start(self, model: Model, contents: list[bytes]) -> float:
        """Load the network into the workers; return the seconds of a run over few pictures."""
        store = self._store
        store.create_missing()
        store.remove(IMAGES, store.read(IMAGES).select("product_id"))
        self._embed_more(model, contents)
        return self._embed_more(model, contents)

    def seconds(self, model: Model, contents: list[bytes], figures: Figures, case: str) -> float:
        """Return the seconds of a run over more pictures, and record the memory it took."""
        with peak_memory(figures, f"{case}_peak_mb"):
            return self._embed_more(model, contents)

    def _embed_more(self, model: Model, contents: list[bytes]) -> float:
        store = self._store
        self._add(store, contents)
        with recorded(store, "benchmark") as run:
            return seconds_of(lambda: embed(store, model, self.settings, run))

    def _add(self, store: Store, contents: list[bytes]) -> None:
        folder = self.folder / f"from-{self.pictures}"
        folder.mkdir()
        parts = max(self.workers, len(contents) // IMAGES.rows_per_file)
        for part in range(parts):
            pq.write_table(self._rows(contents[part::parts]), folder / f"{part}.parquet")
        # As many files as were written, and not fewer larger ones.
        with with_properties(self.spark, {"spark.sql.files.minPartitionNum": str(parts)}):
            rows = self.spark.read.parquet(str(folder))
            store.append(IMAGES, rows.select(*IMAGES.names))

    def _rows(self, contents: list[bytes]) -> pa.Table:
        first, self.pictures = self.pictures, self.pictures + len(contents)
        ids = range(first, self.pictures)
        return pa.table(
            {
                "product_id": pa.array(ids, pa.int64()),
                "sha256": [str(number) for number in ids],
                "content": pa.array(contents, pa.binary()),
                "format": ["JPEG"] * len(contents),
                "width": pa.array([1] * len(contents), pa.int32()),
                "height": pa.array([1] * len(contents), pa.int32()),
                "mode": ["RGB"] * len(contents),
            }
        )
