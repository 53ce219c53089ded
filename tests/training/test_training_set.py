"""Which products are drawn, on which side they are, and how they lie in files."""

from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession

from fashionrec.config import load
from fashionrec.errors import FashionrecError
from fashionrec.model_settings import FinetuneSettings
from fashionrec.store import Store
from fashionrec.tables import IMAGES, PRODUCTS, TRAINING_SET
from fashionrec.training.snapshot import snapshot
from fashionrec.training.training_set import draw_training_set, sampled, with_split

COLUMNS = """product_id BIGINT, article_type STRING, gender STRING, base_colour STRING,
    product_display_name STRING, year INT"""


def settings(**changes: object) -> FinetuneSettings:
    return load().finetune.model_copy(update={"min_images": 4, "sample": 0, **changes})


@pytest.fixture(scope="module")
def products(spark: SparkSession) -> DataFrame:
    """Forty shirts of 20 names, ten belts, three ties."""
    rows = [(i, "Shirts", "Men", "Red", f"Shirt {i % 20}", 2010 + i % 3) for i in range(40)]
    rows += [(100 + i, "Belts", "Men", None, None, None) for i in range(10)]
    rows += [(200 + i, "Ties", "Men", "Red", "Tie", 2011) for i in range(3)]
    return spark.createDataFrame(rows, COLUMNS).repartition(3).persist()


def types(rows: DataFrame) -> Counter[str]:
    return Counter(row.article_type for row in rows.collect())


def test_types_with_enough_pictures_are_sampled(products: DataFrame) -> None:
    assert types(sampled(products, settings())) == {"Shirts": 40, "Belts": 10}
    assert types(sampled(products, settings(sample=5))) == {"Shirts": 5, "Belts": 5}
    assert types(sampled(products, settings(largest_types=1))) == {"Shirts": 40}


def test_a_seed_draws_the_same_sample_and_another_another(products: DataFrame) -> None:
    def ids(seed: int, rows: DataFrame) -> set[int]:
        drawn = sampled(rows, settings(sample=5, seed=seed)).collect()
        return {row.product_id for row in drawn}

    assert ids(1, products) == ids(1, products.repartition(7))
    assert ids(1, products) != ids(2, products)


def sides(rows: DataFrame, split: str) -> dict[int, str]:
    placed = with_split(sampled(rows, settings()), settings(split=split))
    return {row.product_id: row.split for row in placed.collect()}


@pytest.mark.parametrize("split", ["random", "name"])
def test_a_share_of_each_type_is_trained(products: DataFrame, split: str) -> None:
    side = sides(products, split)
    assert Counter(side[i] for i in range(40)) == {"train": 24, "validation": 16}
    assert Counter(side[i] for i in range(100, 110)) == {"train": 6, "validation": 4}


def test_by_name_products_of_a_name_stay_together(products: DataFrame) -> None:
    named = sides(products, "name")
    assert all(named[i] == named[i + 20] for i in range(20))
    random = sides(products, "random")
    assert any(random[i] != random[i + 20] for i in range(20))


def test_by_year_even_years_train_and_the_yearless_are_left_out(products: DataFrame) -> None:
    side = sides(products, "year")
    assert side == {i: "validation" if i % 3 == 1 else "train" for i in range(40)}


def test_row_groups_are_even_and_each_file_is_of_one_split(night: Store) -> None:
    some = settings(min_images=3, sample=6, row_group=5)
    version = draw_training_set(night, some, ranks=2)
    found = snapshot(night.path(TRAINING_SET), version)
    found.check_even(2)
    rows = night.read(TRAINING_SET).collect()
    for split, part in found.parts.items():
        wanted = {row.product_id for row in rows if row.split == split}
        assert sum(part.rows) == len(wanted)
        assert len(part.files) == len(part.rows)
        assert len(part.rows) % 2 == 0
        assert max(part.rows) <= 5
        assert max(part.rows) - min(part.rows) <= 1
        ids = [i for file in part.files for i in pq.read_table(file)["product_id"].to_pylist()]
        assert sorted(ids) == sorted(wanted)
        assert ids != sorted(ids)
    contents = {row.product_id: row.content for row in night.read(IMAGES).collect()}
    assert all(contents[row.product_id] == row.content for row in rows)
    labels = {row.product_id: row.article_type for row in night.read(PRODUCTS).collect()}
    assert all(labels[row.product_id] == row.article_type for row in rows)


def test_it_is_written_again_only_where_something_differs(night: Store) -> None:
    some = settings(min_images=3, sample=5)
    first = draw_training_set(night, some, ranks=1)
    assert draw_training_set(night, some, ranks=1) == first
    night.spark.sql(f"DELETE FROM delta.`{night.path(TRAINING_SET)}` WHERE product_id % 2 = 0")
    again = draw_training_set(night, some, ranks=1)
    assert again > first + 1


def test_too_high_a_bound_names_the_setting(night: Store, tmp_path: Path) -> None:
    with pytest.raises(FashionrecError, match=r"lower finetune.min_images"):
        draw_training_set(night, settings(min_images=1000), ranks=1)
