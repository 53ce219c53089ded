"""The published tables without a JVM, through delta-rs: for lookups and notebooks."""

from pathlib import Path

import deltalake
import pyarrow as pa
import pyarrow.compute as pc

from fashionrec.errors import FashionrecError
from fashionrec.tables import Table


def rows_of(warehouse: Path, table: Table, product_id: int) -> pa.Table:
    """Return the rows of one product, reading only the files that may hold it.

    Raises:
        FashionrecError: the table is not there yet.
    """
    path = warehouse / table.name
    if not deltalake.DeltaTable.is_deltatable(str(path)):
        raise FashionrecError(f"{path}: there is no such table yet: run nightly first")
    dataset = deltalake.DeltaTable(str(path)).to_pyarrow_dataset()
    columns = [name for name in table.names if name not in ("content", "embedding")]
    return dataset.to_table(columns=columns, filter=pc.field("product_id") == product_id)
