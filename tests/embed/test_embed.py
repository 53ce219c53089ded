"""The step: what is computed, copied, kept and removed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import functions as F

from conftest import ROOT, write_model
from fashionrec.config import load
from fashionrec.embed import embed as step
from fashionrec.embed import missing
from fashionrec.embed.decode import as_pixels
from fashionrec.embed.model import load_model
from fashionrec.embed.network import load_network
from fashionrec.models import current_model
from fashionrec.runs import recorded
from fashionrec.settings import EmbedSettings
from fashionrec.store import Store
from fashionrec.tables import EMBEDDINGS, IMAGES, RUNS

SETTINGS = load().embed


def run(store: Store, model_folder: Path, settings: EmbedSettings = SETTINGS) -> dict[str, int]:
    with recorded(store, "embed") as current:
        step.embed(store, current_model(store, str(model_folder)), settings, current)
    return {name.removeprefix("embed."): n for name, n in current.counts.items()}


def embeddings(store: Store) -> dict[tuple[int, str], tuple]:
    rows = store.read(EMBEDDINGS).collect()
    table = {(r.product_id, r.image_sha256): tuple(r.embedding) for r in rows}
    assert len(table) == len(rows)
    return table


def test_a_night_equals_a_plain_loop(night: Store, tiny_model: Path) -> None:
    import torch

    model = load_model(str(tiny_model), Path())
    network = load_network(model)
    images = night.read(IMAGES).collect()
    assert {(r.product_id, r.sha256) for r in images} == set(embeddings(night))
    found = {row.product_id: row for row in night.read(EMBEDDINGS).collect()}
    for image in images:
        pixels = as_pixels(bytes(image.content), model.preprocessing)
        with torch.inference_mode():
            wanted, probabilities = network(torch.tensor(pixels[None]))
        row = found[image.product_id]
        assert float(np.dot(row.embedding, wanted[0].numpy())) > 0.998
        assert row.predicted_probability == pytest.approx(float(probabilities.max()), abs=0.1)
        assert row.predicted_accepted is None


def test_nothing_new_writes_nothing(night: Store, tiny_model: Path) -> None:
    version = night.version(EMBEDDINGS)
    counts = run(night, tiny_model)
    assert night.version(EMBEDDINGS) == version
    assert (counts["written"], counts["kept"]) == (0, night.read(IMAGES).count())


def test_shared_pictures_are_computed_once(night: Store) -> None:
    shared = night.read(IMAGES).groupBy("sha256").count().where("count > 1").collect()
    assert len(shared) == 2
    counts = night.read(RUNS).where("run_id = 'first'").first().counts
    distinct = night.read(IMAGES).select("sha256").distinct().count()
    assert counts["embed.written"] - counts["embed.copied"] == distinct
    assert counts["embed.copied"] == sum(row["count"] - 1 for row in shared)
    table = embeddings(night)
    for row in shared:
        assert len({vector for (_, sha), vector in table.items() if sha == row.sha256}) == 1


def test_a_known_picture_is_copied_and_a_replaced_one_goes(night: Store, tiny_model: Path) -> None:
    images = night.read(IMAGES).orderBy("product_id").limit(2).collect()
    one, other = images
    twin = night.read(IMAGES).where(f"product_id = {other.product_id}")
    rest = night.read(IMAGES).where(f"product_id <> {one.product_id}")
    before = embeddings(night)
    night.sync(IMAGES, rest.unionByName(twin.withColumn("product_id", F.lit(one.product_id))))
    counts = run(night, tiny_model)
    assert (counts["written"], counts["copied"], counts["removed"]) == (1, 1, 1)
    after = embeddings(night)
    assert after[(one.product_id, other.sha256)] == before[(other.product_id, other.sha256)]
    assert (one.product_id, one.sha256) not in after


def test_a_killed_run_goes_on_where_it_stopped(night: Store, tiny_model: Path) -> None:
    whole = embeddings(night)
    night.sync(EMBEDDINGS, night.read(EMBEDDINGS).where("false"))
    portions = SETTINGS.model_copy(update={"commit_every": 10})
    kill_after(20, night, tiny_model, portions.commit_every)
    kept = len(embeddings(night))
    assert kept % 10 == 0
    assert 20 <= kept < len(whole)
    assert night.read(RUNS).where("job = 'embed'").first().status == "running"
    left = Path(night.warehouse, missing._FOLDER)  # which pictures there were to compute
    assert left.is_dir()
    counts = run(night, tiny_model, portions)
    assert not left.exists()
    assert counts["kept"] == kept
    assert embeddings(night) == whole


def kill_after(rows: int, store: Store, model: Path, commit_every: int) -> None:
    """Start the job in processes of its own, and kill them all once there are so many rows."""
    settings = ("--set", f"model={model}", "--set", f"embed.commit_every={commit_every}")
    words = [sys.executable, str(ROOT / "jobs" / "embed.py"), "--warehouse", store.warehouse]
    job = subprocess.Popen([*words, *settings], start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        while store.count(EMBEDDINGS) < rows:
            assert job.poll() is None
            time.sleep(0.1)
    finally:
        os.killpg(job.pid, signal.SIGKILL)
        job.wait()


def test_a_new_model_version_fills_its_own_rows(night: Store, tmp_path: Path) -> None:
    before = night.read(EMBEDDINGS).count()
    counts = run(night, write_model(tmp_path / "second", seed=9))
    assert counts["written"] == before
    assert sorted(versions(night).values()) == [before, before]


def versions(store: Store) -> dict[str, int]:
    rows = store.read(EMBEDDINGS).groupBy("model_version").count().collect()
    return {row.model_version: row["count"] for row in rows}


def test_old_versions_go_and_the_current_one_never(
    night: Store, tiny_model: Path, tmp_path: Path
) -> None:
    (first,) = versions(night)
    folders = [tiny_model, *(write_model(tmp_path / f"m{seed}", seed) for seed in (7, 8))]
    _, second, third = (load_model(str(folder), Path()).version for folder in folders)
    run(night, folders[1])
    assert set(versions(night)) == {first, second}
    counts = run(night, folders[2])
    assert set(versions(night)) == {second, third}  # embed.keep_versions = 1
    assert counts["removed"] == counts["written"] == versions(night)[third]
    run(night, folders[1])  # back to the second: the third is now the earlier one
    assert set(versions(night)) == {second, third}
    counts = run(night, folders[1], SETTINGS.model_copy(update={"keep_versions": 0}))
    assert set(versions(night)) == {second}
    assert counts["removed"] == counts["kept"] == versions(night)[second]


def test_a_corrupt_picture_costs_one_row(night: Store, tiny_model: Path) -> None:
    images = night.read(IMAGES)
    victim = images.orderBy("product_id").first().product_id
    bad = images.where(f"product_id = {victim}").withColumns(
        {"content": F.lit(b"no picture"), "sha256": F.lit("bad")}
    )
    night.sync(IMAGES, images.where(f"product_id <> {victim}").unionByName(bad))
    counts = run(night, tiny_model)
    assert (counts["failed"], counts["written"], counts["removed"]) == (1, 0, 1)
    assert counts["kept"] == images.count() - 1


def test_the_record_tells_what_ran_and_where_time_went(night: Store, tiny_model: Path) -> None:
    row = night.read(RUNS).where("run_id = 'first'").first()
    assert row.message.startswith("embed on ")
    assert row.message.endswith("(device 'auto', engine 'auto')")
    seconds = row.seconds
    assert 0 < seconds["embed.decode"] < seconds["embed.compute"] <= seconds["embed"]
    assert 0 < seconds["embed.network"] <= seconds["embed.tasks"]
    assert seconds["embed.tasks_cpu"] > 0


def test_a_mix_of_engines_is_told(night: Store, tiny_model: Path) -> None:
    victim = night.read(IMAGES).orderBy("product_id").first().product_id
    replace_picture(night, victim)
    run(night, tiny_model)
    (engine,) = night.state(EMBEDDINGS)["engines"]
    assert mixes(night) == []
    replace_picture(night, victim)
    run(night, tiny_model, SETTINGS.model_copy(update={"engine": "torch", "device": "cpu"}))
    both = night.state(EMBEDDINGS)["engines"]
    assert [text.split("mixes rows by ")[1] for text in mixes(night)] == [" and ".join(both)]
    assert len(both) == 2
    assert engine in both


def mixes(store: Store) -> list[str]:
    messages = [row.message for row in store.read(RUNS).collect() if row.message]
    return [text for message in messages for text in message.split("; ") if "mixes" in text]


def replace_picture(store: Store, product_id: int) -> None:
    """Give a product a picture that counts as another, by its hash."""
    images = store.read(IMAGES)
    changed = F.when(F.col("product_id") == product_id, F.concat(F.lit("x"), "sha256"))
    store.sync(IMAGES, images.withColumn("sha256", changed.otherwise(F.col("sha256"))))
