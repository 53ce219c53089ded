"""The loop over rows in memory: it learns, and goes on after a kill as if there had been none."""

import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from fashionrec.config import load
from fashionrec.embed.decode import as_pixels
from fashionrec.embed.model import load_model
from fashionrec.embed.network import Normalise
from fashionrec.embed.preprocessing import STUDY
from fashionrec.errors import FashionrecError
from fashionrec.model_settings import FinetuneSettings
from fashionrec.training.checkpoint import Checkpoints
from fashionrec.training.classifier import Blueprint, Classifier, model_state, new_classifier
from fashionrec.training.examples import Batch, Example, batch_sizes, batches, shuffled
from fashionrec.training.loop import Place, train
from fashionrec.training.recipe import seed_of
from fashionrec.training.state import BEST, part_of

SMALL = STUDY.model_copy(update={"height": 32, "width": 24, "resize": "stretch"})
TYPES = ("Backpacks", "Belts", "Caps")
CPU = Place(torch.device("cpu"))


def settings(**changes: object) -> FinetuneSettings:
    plain = {"batch_size": 8, "amp": False, "learning_rate": 0.05, "epochs": 3}
    return load().finetune.model_copy(update={**plain, **changes})


def blueprint(*heads: str) -> Blueprint:
    classes = {"article_type": TYPES, **dict.fromkeys(heads, ("a", "b"))}
    return Blueprint("resnet18", SMALL, classes)


class Tiny(Classifier):
    """A trunk of three convolutions, so that epochs and checkpoints take no time."""

    def __init__(self, blueprint: Blueprint) -> None:
        torch.nn.Module.__init__(self)
        torch.manual_seed(1)
        sizes = [(3, 16), (16, 32), (32, 32)]
        layers = [layer for pair in sizes for layer in (
            nn.Conv2d(*pair, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(pair[1]), nn.ReLU()
        )]  # fmt: skip
        self.trunk = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.heads = nn.ModuleDict(
            {k: nn.Linear(128, len(v)) for k, v in blueprint.classes.items()}
        )
        self.normalise = Normalise(blueprint.preprocessing)


def classifier(*heads: str) -> Classifier:
    return Tiny(blueprint(*heads))


class Rows:
    """Drawn pictures, 24 to train and 12 to validate."""

    rows, steps = 24, 3

    def __init__(self, seconds: float = 0.0) -> None:
        draw = np.random.default_rng(5)
        self._pixels = draw.integers(0, 255, (36, 32, 24, 3), dtype=np.uint8)
        for i, pixels in enumerate(self._pixels):
            pixels[:, :, i % 3] //= 4  # what tells the types apart
        self._seconds = seconds

    def _examples(self, ids: range) -> Iterator[Example]:
        for i in ids:
            time.sleep(self._seconds)
            yield Example(i, bytes([i]), np.array([i % 3, i % 2]))

    def _decoded(self, content: bytes) -> np.ndarray:
        return self._pixels[content[0]]

    def training(self, epoch: int) -> Iterator[Batch]:
        drawn = shuffled(self._examples(range(24)), 100, seed_of(7, epoch))
        return batches(drawn, batch_sizes(24, 3), self._decoded, 1)

    def validation(self) -> Iterator[Batch]:
        return batches(self._examples(range(24, 36)), [6, 6], self._decoded, 1)


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    return Checkpoints(folder).tensors()


def assert_same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


def test_it_learns_and_keeps_the_best_epoch(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    some = settings(epochs=12, heads=["gender"])
    with caplog.at_level(logging.INFO):
        progress = train(classifier("gender"), Rows(), some, CPU, Checkpoints(tmp_path))
    accuracies = [figures["accuracy"] for figures in progress.history]
    assert max(accuracies) > 0.9
    assert progress.best_epoch == accuracies.index(max(accuracies))
    assert progress.history[-1]["loss"] < progress.history[0]["loss"]
    assert "finetune: epoch 12 of 12: loss " in caplog.text
    assert "gender accuracy" in caplog.text
    assert len(list(tmp_path.glob("epoch-*"))) == 1
    saved = tensors(tmp_path)
    best = classifier("gender")
    best.load_state_dict(part_of(saved, BEST))
    with torch.no_grad():
        right = sum(
            int((best.eval()(best.normalise(b.pixels))["article_type"].argmax(1) == b.labels[:, 0])
                .sum()) for b in Rows().validation()
        )  # fmt: skip
    assert right / 12 == pytest.approx(max(accuracies))


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_an_interrupted_run_ends_with_the_same_bits(tmp_path: Path, ema: float) -> None:
    some = settings(ema_decay=ema)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    for folder in (whole, parts):
        folder.mkdir()
    progress = train(classifier(), Rows(), some, CPU, Checkpoints(whole))

    class Interrupted(Rows):
        def training(self, epoch: int) -> Iterator[Batch]:
            for step, batch in enumerate(super().training(epoch)):
                if (epoch, step) == (1, 2):
                    raise KeyboardInterrupt
                yield batch

    with pytest.raises(KeyboardInterrupt):
        train(classifier(), Interrupted(), some, CPU, Checkpoints(parts))
    assert Checkpoints(parts).progress().epochs == 1
    heard: list[int] = []
    resumed = train(
        classifier(), Rows(), some, CPU, Checkpoints(parts), lambda epoch, _: heard.append(epoch)
    )
    assert heard == [0, 1, 2]
    assert_same(tensors(whole), tensors(parts))
    assert resumed.best_epoch == progress.best_epoch
    told = [[{**line, "seconds": 0} for line in p.history] for p in (progress, resumed)]
    assert told[0] == told[1]


SCRIPT = """
import sys, torch
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_loop import CPU, Rows, Checkpoints, classifier, settings, train
torch.set_num_threads(1)
train(classifier(), Rows(seconds=0.05), settings(), CPU, Checkpoints(Path(sys.argv[2])))
"""


def test_a_killed_process_is_gone_on_with(tmp_path: Path, one_thread: None) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
    words = [sys.executable, "-c", SCRIPT, str(Path(__file__).parent), str(killed)]
    victim = subprocess.Popen(words, cwd=Path(__file__).parent)
    train(classifier(), Rows(), settings(), CPU, Checkpoints(whole))
    deadline = time.monotonic() + 120
    while not (killed / "latest.json").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.4)  # into the next epoch: reading it takes more than a second
    victim.kill()
    assert victim.wait() < 0
    assert 0 < Checkpoints(killed).progress().epochs < 3
    train(classifier(), Rows(), settings(), CPU, Checkpoints(killed))
    assert_same(tensors(whole), tensors(killed))


@pytest.fixture
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_a_spoiled_checkpoint_is_refused(tmp_path: Path) -> None:
    train(classifier(), Rows(), settings(epochs=1), CPU, Checkpoints(tmp_path))
    file = next(tmp_path.glob("epoch-*"))
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(FashionrecError, match="is not the file that was written"):
        train(classifier(), Rows(), settings(), CPU, Checkpoints(tmp_path))


def test_known_classes_keep_their_rows_where_heads_are_not_new(tiny_model: Path) -> None:
    start = load_model(str(tiny_model), tiny_model)
    plan = Blueprint("resnet18", SMALL, {"article_type": ("Ties", "Watches")})
    kept = model_state(new_classifier(plan, start, seed=1, new_heads=False))
    new = model_state(new_classifier(plan, start, seed=1, new_heads=True))
    import safetensors.torch

    old = safetensors.torch.load(start.weights)
    assert torch.equal(kept["fc.weight"][0], old["fc.weight"][start.classes.index("Ties")])
    assert torch.equal(kept["fc.weight"][1], new["fc.weight"][1])
    assert not torch.equal(kept["fc.weight"][0], new["fc.weight"][0])
    assert torch.equal(kept["conv1.weight"], old["conv1.weight"])


def test_a_tiny_network_over_fits_the_sample(catalogue: Path, tmp_path: Path) -> None:
    lines = (catalogue / "styles.csv").read_text(errors="replace").splitlines()[1:]
    types = {line.split(",")[0]: line.split(",")[4] for line in lines if line.count(",") > 5}
    files = [
        f for f in sorted((catalogue / "images").glob("*.jpg"))
        if f.stem in types and decodes(f.read_bytes())
    ]  # fmt: skip
    names = sorted({types[file.stem] for file in files})
    assert len(files) > 60

    class Sample:
        rows, steps = len(files), -(-len(files) // 16)

        def _examples(self) -> Iterator[Example]:
            for i, file in enumerate(files):
                yield Example(i, file.read_bytes(), np.array([names.index(types[file.stem])]))

        def training(self, epoch: int) -> Iterator[Batch]:
            decode = partial(as_pixels, preprocessing=SMALL)
            drawn = shuffled(self._examples(), 1000, epoch)
            return batches(drawn, batch_sizes(self.rows, self.steps), decode, 1)

        def validation(self) -> Iterator[Batch]:
            return self.training(0)

    plan = Blueprint("resnet18", SMALL, {"article_type": tuple(names)})
    some = settings(epochs=25, batch_size=16, schedule="cosine", flip=0.0)
    progress = train(Tiny(plan), Sample(), some, CPU, Checkpoints(tmp_path))
    assert progress.history[progress.best_epoch]["accuracy"] > 0.97


def decodes(content: bytes) -> bool:
    try:
        return as_pixels(content, SMALL).size > 0
    except Exception:
        return False
