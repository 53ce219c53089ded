"""Tables registered in a real Hive metastore (Derby's), found there by a Spark of its own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT
from fashionrec.errors import FashionrecError
from fashionrec.sql import create_tables
from fashionrec.store import Store
from fashionrec.tables import RECOMMENDATIONS

SCHEMA = "shop"
SOMEBODY = f"""
import json
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
spark.sql("USE {SCHEMA}")
print(spark.table("recommendations").count(), spark.table("recommended_most").count() > 0)
described = spark.sql("DESCRIBE recommendations").collect()
print(json.dumps({{row.col_name: row.comment for row in described}}))
"""


def spark_options(folder: Path) -> list[str]:
    database = f"jdbc:derby:;databaseName={folder}/metastore;create=true"
    properties = {
        "spark.sql.catalogImplementation": "hive",
        "spark.hadoop.javax.jdo.option.ConnectionURL": database,
        "spark.sql.warehouse.dir": f"{folder}/managed",
        "spark.driver.extraJavaOptions": f"-Dderby.stream.error.file={folder}/derby.log",
    }
    return [w for name, value in properties.items() for w in ("--conf", f"{name}={value}")]


def run(words: list[str], folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    own = {k: v for k, v in os.environ.items() if k != "PYSPARK_SUBMIT_ARGS"}
    return subprocess.run(
        words, env=own | env, cwd=folder, capture_output=True, text=True, timeout=300
    )


def test_a_night_registers_tables_and_views(
    night: Store, catalogue: Path, tiny_model: Path, tmp_path: Path
) -> None:
    job = [str(ROOT / "spark-submit.sh"), "nightly", "--no-install", *spark_options(tmp_path)]
    job += ["--catalogue", str(catalogue), "--warehouse", night.warehouse]
    settings = [f"model={tiny_model}", f"metastore.schema={SCHEMA}"]
    done = run([*job, *(w for each in settings for w in ("--set", each))], tmp_path)
    assert done.returncode == 0, done.stderr
    delta = os.environ["PYSPARK_SUBMIT_ARGS"].removesuffix(" pyspark-shell").split()
    extensions = {
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    }
    delta += [w for k, v in extensions.items() for w in ("--conf", f"{k}={v}")]
    submit = " ".join([*delta, *spark_options(tmp_path), "pyspark-shell"])
    told = run([sys.executable, "-c", SOMEBODY], tmp_path, PYSPARK_SUBMIT_ARGS=submit)
    assert told.returncode == 0, told.stderr
    counts, columns = told.stdout.splitlines()
    assert counts == f"{night.count(RECOMMENDATIONS)} True"
    comments = {column.name: column.comment for column in RECOMMENDATIONS.columns}
    assert json.loads(columns).items() >= comments.items()


def test_tables_of_another_warehouse_are_refused(night: Store, tmp_path: Path) -> None:
    other = Store(night.spark, shutil.copytree(night.warehouse, tmp_path / "other"))
    try:
        create_tables(night, SCHEMA)
        create_tables(night, SCHEMA)
        with pytest.raises(FashionrecError, match=r"shop\.\w+ is another table, at .*/night"):
            create_tables(other, SCHEMA)
    finally:
        night.spark.sql("USE default")
        night.spark.sql(f"DROP SCHEMA {SCHEMA} CASCADE")
