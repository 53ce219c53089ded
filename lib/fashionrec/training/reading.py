"""A rank's share of a split, read by petastorm.

Its thread pool loses reads without an error now and then, so everything is read in this thread
('dummy'), and whoever consumes the rows counts them against the files' footers.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd
from upath import UPath

from fashionrec.paths import at, is_remote
from fashionrec.training.examples import NO_LABEL, Example
from fashionrec.training.snapshot import Part

# petastorm's last release uses what pyarrow has deprecated, and says so with every row group.
warnings.filterwarnings("ignore", category=FutureWarning, module="petastorm")
warnings.filterwarnings("ignore", category=FutureWarning, module=__name__)
from petastorm import TransformSpec, make_batch_reader  # noqa: E402
from pyarrow.filesystem import DaskFileSystem  # noqa: E402

Classes = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Reading:
    """How a rank reads: which share, and the classes that its labels index."""

    classes: Classes
    rank: int
    ranks: int

    def examples(self, part: Part, seed: int) -> Iterator[Example]:
        """Read the rank's share of a part once, its row groups in an order drawn by `seed`."""
        columns = ["product_id", "content", *self.classes]
        reader = make_batch_reader(
            [file if is_remote(file) else f"file://{file}" for file in part.files],
            filesystem=_filesystem(part.files[0]),
            schema_fields=[f"^{name}$" for name in columns],
            reader_pool_type="dummy",
            seed=seed,
            cur_shard=self.rank,
            shard_count=self.ranks,
            num_epochs=1,
            transform_spec=as_labels(self.classes),
        )
        try:
            for group in reader:
                yield from _rows(group, self.classes)
        finally:
            reader.stop()
            reader.join()


class _ObjectStore(DaskFileSystem):  # type: ignore[misc]
    """An object store as petastorm knows filesystems: pyarrow's own, of before fsspec's."""

    def isfile(self, path: str) -> bool:
        return bool(self.fs.isfile(path))

    def isdir(self, path: str) -> bool:
        return bool(self.fs.isdir(path))


def _filesystem(file: str) -> _ObjectStore | None:
    """Return what a file is read by; None: petastorm finds out, which it can for local ones."""
    return _ObjectStore(cast(UPath, at(file)).fs) if is_remote(file) else None


def as_labels(classes: Classes) -> TransformSpec:
    """Make class names their indices, a missing or unknown one NO_LABEL.

    Without it petastorm makes null the text 'None'.
    """
    fields = [(name, np.int64, (), False) for name in classes]
    indices = {name: {value: i for i, value in enumerate(known)} for name, known in classes.items()}

    def transform(rows: pd.DataFrame) -> pd.DataFrame:
        for name, index in indices.items():
            rows[name] = rows[name].map(index).fillna(NO_LABEL).astype(np.int64)
        return rows

    return TransformSpec(transform, edit_fields=fields)


def _rows(group: Any, classes: Classes) -> Iterator[Example]:
    labels = np.stack([getattr(group, name) for name in classes], axis=1)
    for i, product_id in enumerate(group.product_id):
        yield Example(int(product_id), group.content[i], labels[i])
