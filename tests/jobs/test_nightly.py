"""The whole flow, as its users see it."""

import re
import shutil
from pathlib import Path

import pytest

from conftest import RunJob
from fashionrec.store import Store
from fashionrec.tables import EMBEDDINGS, IMAGES, NEIGHBOURS, PRODUCTS, RECOMMENDATIONS, RUNS


def versions(store: Store) -> dict[str, int]:
    return {name: v for name, v in store.versions().items() if name != RUNS.name}


def test_every_product_with_a_picture_has_five_neighbours(night: Store) -> None:
    published = night.read(RECOMMENDATIONS).where("list = 'similar'")
    ranks = published.groupBy("product_id").agg({"rank": "max", "*": "count"}).collect()
    assert {(row["max(rank)"], row["count(1)"]) for row in ranks} == {(5, 5)}
    pictured = {row.product_id for row in night.read(IMAGES).collect()}
    assert {row.product_id for row in ranks} == pictured == night_ids(night)
    assert published.where("product_id = neighbour_id").count() == 0
    assert {row.run_id for row in published.collect()} == {"first"}


def night_ids(store: Store) -> set[int]:
    return {row.product_id for row in store.read(EMBEDDINGS).collect()}


def test_published_rows_tell_of_both_products(night: Store) -> None:
    products = {row.product_id: row for row in night.read(PRODUCTS).collect()}
    predicted = {r.product_id: r.predicted_article_type for r in night.read(EMBEDDINGS).collect()}
    for row in night.read(RECOMMENDATIONS).collect():
        one, other = products[row.product_id], products[row.neighbour_id]
        assert (row.product_display_name, row.gender, row.article_type, row.base_colour) == (
            one.product_display_name, one.gender, one.article_type, one.base_colour
        )  # fmt: skip
        assert row.neighbour_display_name == other.product_display_name
        assert row.neighbour_article_type == other.article_type
        assert row.predicted_article_type == predicted[row.product_id]
        assert row.neighbour_predicted_article_type == predicted[row.neighbour_id]


def test_the_record_of_a_night(night: Store) -> None:
    row = night.read(RUNS).first()
    assert (row.run_id, row.job, row.status) == ("first", "nightly", "succeeded")
    assert row.message.startswith("embed on ")
    assert {"ingest", "embed", "neighbours", "publish"} <= set(row.seconds)
    assert row.counts["embed.written"] == night.read(EMBEDDINGS).count()
    assert row.versions_written["recommendations"] == night.version(RECOMMENDATIONS)
    assert row.started_at < row.finished_at


def test_a_second_night_changes_nothing_and_says_so(
    night: Store, catalogue: Path, run_job: RunJob, capfd: pytest.CaptureFixture[str]
) -> None:
    before = versions(night)
    assert run_job("nightly", "--catalogue", catalogue, "--warehouse", night.warehouse) == 0
    out, err = capfd.readouterr()
    assert versions(night) == before
    assert "nothing had changed" in out
    assert re.search(r"embeddings +0 written, 70 kept", out)
    assert "ingest: done" in err
    assert night.read(RUNS).count() == 2


def test_a_changed_catalogue_reaches_the_published_table(
    night: Store, catalogue: Path, tmp_path: Path, run_job: RunJob
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(catalogue, copy)
    similar = night.read(RECOMMENDATIONS).where("list = 'similar'")
    first = similar.where("rank = 1").orderBy("product_id").first()
    gone = first.neighbour_id
    styles = (copy / "styles.csv").read_bytes().split(b"\n")
    kept = [line for line in styles if not line.startswith(f"{gone},".encode())]
    (copy / "styles.csv").write_bytes(b"\n".join(kept))
    options = ("--catalogue", copy, "--warehouse", night.warehouse, "--run-id", "second")
    assert run_job("nightly", *options) == 0
    published = night.read(RECOMMENDATIONS)
    assert published.where(f"product_id = {gone} OR neighbour_id = {gone}").count() == 0
    counts = published.groupBy("run_id").count().collect()
    assert {row.run_id for row in counts} == {"first", "second"}
    mine = f"product_id = {first.product_id} AND list = 'similar'"
    assert published.where(mine).count() == 5
    for table in (EMBEDDINGS, NEIGHBOURS):
        assert night.read(table).where(f"product_id = {gone}").count() == 0


def test_a_catalogue_that_is_none_is_one_line(
    tmp_path: Path, run_job: RunJob, capfd: pytest.CaptureFixture[str]
) -> None:
    options = ("--catalogue", tmp_path / "nowhere", "--warehouse", tmp_path / "w")
    assert run_job("nightly", *options) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert err.splitlines()[-1].startswith(f"error: {tmp_path}/nowhere: there is no such folder")
    assert "Traceback" not in err
    assert "Traceback" in (tmp_path / "logs" / "fashionrec.log").read_text()
