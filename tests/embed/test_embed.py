"""The step: what is computed, copied, kept and removed."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import functions as F

from conftest import write_model
from fashionrec.config import EmbedSettings, load
from fashionrec.embed import embed as step
from fashionrec.embed.decode import as_pixels
from fashionrec.embed.model import load_model
from fashionrec.embed.network import load_network
from fashionrec.runs import recorded
from fashionrec.store import Store
from fashionrec.tables import EMBEDDINGS, IMAGES

SETTINGS = load().embed


def run(store: Store, model_folder: Path, settings: EmbedSettings = SETTINGS) -> dict[str, int]:
    with recorded(store, "embed") as current:
        step.embed(store, load_model(str(model_folder), Path()), settings, current)
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


def test_shared_pictures_are_computed_once(night: Store, tiny_model: Path) -> None:
    shared = night.read(IMAGES).groupBy("sha256").count().where("count > 1").collect()
    assert len(shared) == 2
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


def test_a_killed_run_goes_on_where_it_stopped(
    night: Store, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = embeddings(night)
    night.sync(EMBEDDINGS, night.read(EMBEDDINGS).where("false"))
    real, calls = step._append_encoded, []

    def dies_in_its_third_portion(*args: object) -> int:
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(step, "_append_encoded", dies_in_its_third_portion)
    portions = SETTINGS.model_copy(update={"commit_every": 10})
    with pytest.raises(KeyboardInterrupt):
        run(night, tiny_model, portions)
    assert len(embeddings(night)) == 20
    monkeypatch.undo()
    counts = run(night, tiny_model, portions)
    assert counts["kept"] == 20
    assert embeddings(night) == whole


def test_a_new_model_version_fills_its_own_rows(night: Store, tmp_path: Path) -> None:
    before = night.read(EMBEDDINGS).count()
    counts = run(night, write_model(tmp_path / "second", seed=9))
    assert counts["written"] == before
    assert night.read(EMBEDDINGS).groupBy("model_version").count().count() == 2


def test_a_corrupt_picture_costs_one_row(night: Store, tiny_model: Path) -> None:
    images = night.read(IMAGES)
    victim = images.orderBy("product_id").first().product_id
    bad = images.where(f"product_id = {victim}").withColumns(
        {"content": F.lit(b"no picture"), "sha256": F.lit("bad")}
    )
    night.sync(IMAGES, images.where(f"product_id <> {victim}").unionByName(bad))
    counts = run(night, tiny_model)
    assert (counts["failed"], counts["written"], counts["removed"]) == (1, 0, 1)


def test_a_second_warehouse_has_the_same_numbers(
    night: Store, tiny_model: Path, store: Store, tmp_path: Path
) -> None:
    store.sync(IMAGES, night.read(IMAGES).repartition(5))
    run(store, tiny_model, SETTINGS.model_copy(update={"commit_every": 7}))
    assert embeddings(store) == embeddings(night)
    shutil.rmtree(store.warehouse)
