"""Training over the tables: shares of processes, and the job from tables to a model version."""

import json
import re
from pathlib import Path

import deltalake
import pyarrow as pa
import pytest
from pyspark.ml.torch.distributor import TorchDistributor
from pyspark.sql import SparkSession

from conftest import ROOT, RunJob
from fashionrec.config import load
from fashionrec.embed.model import load_model
from fashionrec.embed.preprocessing import STUDY
from fashionrec.errors import FashionrecError
from fashionrec.lock import locked
from fashionrec.store import Store
from fashionrec.tables import RUNS, TRAINING_SET
from fashionrec.training import finetune as step
from fashionrec.training.classifier import Blueprint
from fashionrec.training.launch import GPUS_PER_TASK, launch
from fashionrec.training.rank import Job
from fashionrec.training.snapshot import Snapshot, snapshot

SETTINGS = {"min_images": 3, "sample": 6, "row_group": 5, "batch_size": 8, "epochs": 2}


@pytest.mark.parametrize("across", [False, True], ids=["on the driver", "across executors"])
def test_two_processes_read_disjoint_halves_and_together_every_row(
    spark: SparkSession, tmp_path: Path, across: bool
) -> None:
    path = str(tmp_path / "table")
    for file in range(6):
        rows = {"product_id": range(10 * file, 10 * file + 7), "content": [b"x"] * 7}
        texts = {"article_type": ["Ties"] * 7, "split": ["train"] * 7}
        deltalake.write_deltalake(path, pa.table({**rows, **texts}), mode="append")
    part = snapshot(path, 5).parts["train"]
    classes = {"article_type": ["Ties"]}

    def read() -> list[list[int]]:
        import torch.distributed as dist

        from fashionrec.training.reading import Reading

        dist.init_process_group("gloo")
        reading = Reading(classes, dist.get_rank(), dist.get_world_size())
        shares: list[list[int]] = [[], []]
        dist.all_gather_object(shares, [row.product_id for row in reading.examples(part, seed=1)])
        dist.destroy_process_group()
        return shares

    shares = TorchDistributor(2, local_mode=not across, use_gpu=False).run(read)
    everything = [10 * file + i for file in range(6) for i in range(7)]
    assert sorted(shares[0] + shares[1]) == everything
    assert [len(share) for share in shares] == [21, 21]


def options(store: Store, model: Path, folder: Path) -> list[object]:
    changes = {**SETTINGS, "start": model, "folder": folder, "name": "trial", "heads": '["gender"]'}
    sets = [word for k, v in changes.items() for word in ("--set", f"finetune.{k}={v}")]
    return ["--warehouse", store.warehouse, *sets]


def test_a_training_is_gone_on_with_and_becomes_a_model_version(
    night: Store,
    tiny_model: Path,
    tmp_path: Path,
    run_job: RunJob,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    words = [*options(night, tiny_model, tmp_path / "models"), "--processes", 2]

    def killed(*_: object) -> None:
        raise FashionrecError("stopped before the record")

    with monkeypatch.context() as patched:
        patched.setattr(step, "record_version", killed)
        assert run_job("finetune", *words, "--log-format", "json") == 1
    out, err = capfd.readouterr()
    assert out == ""
    [last] = [line for line in err.splitlines() if "finetune: epoch 2 of 2: loss " in line]
    assert json.loads(last)["logger"].startswith("fashionrec.training")
    assert not (tmp_path / "models").exists()

    assert run_job("finetune", *words) == 1
    assert "holds an unfinished training: go on with it by --resume" in capfd.readouterr().err
    assert run_job("finetune", *words, "--resume", "--set", "finetune.epochs=3") == 2
    assert "begun with finetune.epochs = 2" in capfd.readouterr().err
    assert run_job("finetune", *words, "--resume") == 0
    out, err = capfd.readouterr()
    assert "epoch 1 of 2" not in err
    folder = Path(out.splitlines()[0])
    assert [f.name for f in (tmp_path / "models").iterdir()] == [folder.name]
    check_version(folder, night, tiny_model)
    assert not (Path(night.warehouse) / "checkpoints" / "trial").exists()
    statuses = [row.status for row in night.read(RUNS).where("job = 'finetune'").collect()]
    assert sorted(statuses) == ["failed"] * 3 + ["succeeded"]
    assert run_job("finetune", *words, "--resume") == 1
    assert "holds no unfinished training" in capfd.readouterr().err


def test_two_trainings_of_a_name_at_once(
    night: Store, tiny_model: Path, tmp_path: Path, run_job: RunJob,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    checkpoint = Path(night.warehouse) / "checkpoints" / "trial" / "latest.json"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_text("of the other")
    words = options(night, tiny_model, tmp_path / "models")
    with locked(Path(night.warehouse), "other", load().lock, "checkpoints/trial"):
        for more in ([], ["--resume"]):
            assert run_job("finetune", *words, *more) == 5
            assert re.search(
                r"run other on .* \(process \d+\) holds checkpoints/trial", capfd.readouterr().err
            )
    assert checkpoint.read_text() == "of the other"
    assert not night.exists(TRAINING_SET)
    assert night.read(RUNS).where("job = 'finetune'").count() == 0


def test_a_session_whose_tasks_share_gpus_is_refused_before_any_work(
    night: Store, tiny_model: Path, tmp_path: Path, run_job: RunJob,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    gpus = {"across_executors": "true", "device": "cuda"}
    sets = [word for k, v in gpus.items() for word in ("--set", f"finetune.{k}={v}")]
    words = [*options(night, tiny_model, tmp_path / "models"), *sets, "--processes", 2]
    conf = night.spark.sparkContext._conf
    for amount, told in (("0.25", "0.25"), (None, "not set")):
        if amount:
            conf.set(GPUS_PER_TASK, amount)
        else:
            conf._jconf.remove(GPUS_PER_TASK)
        assert run_job("finetune", *words) == 1
        assert f"needs whole ones, and {GPUS_PER_TASK} is {told}" in capfd.readouterr().err
    assert not night.exists(TRAINING_SET)
    assert not (Path(night.warehouse) / "checkpoints" / "trial").exists()


def check_version(folder: Path, store: Store, start: Path) -> None:
    model = load_model(str(folder), ROOT)
    assert folder.name == model.version
    rows = store.read(TRAINING_SET).collect()
    assert set(model.classes) == {row.article_type for row in rows}
    assert set(model.heads["gender"]) <= {row.gender for row in rows}
    trained = {row.product_id for row in rows if row.split == "train"}
    assert set(map(int, (folder / "training_products.txt").read_text().split())) == trained
    card = json.loads((folder / "model.json").read_text())
    assert card["training"]["table"]["version"] == store.version(TRAINING_SET)
    assert card["training"]["start"]["model_version"] == load_model(str(start), ROOT).version
    assert card["training"]["settings"]["epochs"] == 2
    assert model.metrics["validation_rows"] == len(rows) - len(trained)
    assert 0 <= model.threshold <= 1
    for name in ("curves.png", "confusion.png", "before_after.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
    readme = (folder / "README.md").read_text()
    assert f"on {len(trained):,} products and validated on\n{len(rows) - len(trained):,}" in readme
    assert f"| article type top1 | {model.metrics['article_type_top1']:.4g} |" in readme
    lines = (folder / "per_class.csv").read_text().splitlines()
    assert lines[0] == "name,rows,recall,precision"
    assert len(lines) > 3


def test_what_a_process_dies_of_is_told(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "initial.safetensors").write_bytes(b"something else")
    blueprint = Blueprint("resnet18", STUDY, {"article_type": ("Ties",)})
    job = Job(load().finetune, Snapshot("", 0, {}), blueprint, tmp_path, "0" * 64, 1, 1, "cpu")
    with pytest.raises(
        FashionrecError, match=r"^finetune: a process failed: .*initial.safetensors"
    ):
        launch(job)
