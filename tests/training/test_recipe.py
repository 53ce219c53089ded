"""Transforms, loss and learning rate, against torchvision and torch's own."""

import io
import tarfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision.transforms as T
from PIL import Image

from conftest import ROOT
from fashionrec.config import load
from fashionrec.embed.decode import as_pixels
from fashionrec.embed.network import Normalise
from fashionrec.embed.preprocessing import STUDY
from fashionrec.model_settings import FinetuneSettings
from fashionrec.training.examples import NO_LABEL
from fashionrec.training.recipe import augmented, learning_rate, loss_of, sgd

DEFAULTS = load().finetune
REAL = ROOT.parent / "shared" / "data" / "fashion-small" / "images.tar"


def settings(**changes: object) -> FinetuneSettings:
    return DEFAULTS.model_copy(update=changes)


def assert_torchvisions_own(contents: Iterable[bytes], flip: float) -> int:
    study = T.Compose(
        [
            T.Resize(256),
            T.CenterCrop(224),
            T.RandomHorizontalFlip(flip),
            T.ToTensor(),
            T.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    compared = 0
    for content in contents:
        picture = Image.open(io.BytesIO(content))
        if picture.getexif():
            continue  # turned upright, which torchvision leaves to others
        pixels = torch.from_numpy(as_pixels(content, STUDY).copy())[None]
        ours = augmented(Normalise(STUDY)(pixels), settings(flip=flip), torch.Generator())
        assert torch.allclose(ours[0], study(picture.convert("RGB")), atol=1e-5)
        compared += 1
    return compared


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_transforms_are_torchvisions_own(catalogue: Path, flip: float) -> None:
    files = sorted((catalogue / "images").glob("*.jpg"))[:20]
    assert assert_torchvisions_own(filter(decodes, (f.read_bytes() for f in files)), flip) > 10


@pytest.mark.skipif(not REAL.exists(), reason="the real catalogue is not beside the project")
def test_transforms_are_torchvisions_own_on_real_pictures() -> None:
    with tarfile.open(REAL) as tar:
        members = [m for m, _ in zip((m for m in tar if m.isfile()), range(100), strict=False)]
        contents = [tar.extractfile(member).read() for member in members]  # type: ignore[union-attr]
    assert assert_torchvisions_own(contents, 0.0) == 100


def decodes(content: bytes) -> bool:
    try:
        return as_pixels(content, STUDY).size > 0
    except Exception:  # one of the sample's faults
        return False


def test_half_of_the_pictures_are_mirrored_by_the_seed() -> None:
    planes = torch.arange(400 * 3 * 2 * 2, dtype=torch.float32).view(400, 3, 2, 2)

    def mirrored(seed: int) -> torch.Tensor:
        made = augmented(planes, settings(), torch.Generator().manual_seed(seed))
        flips = (made == planes.flip(3)).flatten(1).all(1)
        assert (flips | (made == planes).flatten(1).all(1)).all()
        return flips

    assert 150 < mirrored(1).sum() < 250
    assert torch.equal(mirrored(1), mirrored(1))
    assert not torch.equal(mirrored(1), mirrored(2))


def test_scale_and_shift_move_the_picture() -> None:
    planes = torch.zeros(64, 1, 20, 20)
    planes[:, :, 8:12, 8:12] = 1
    moved = augmented(planes, settings(flip=0.0, shift=0.2), torch.Generator().manual_seed(0))
    middle = (moved.sum((1, 2)) * torch.arange(20)).sum(1) / moved.sum((1, 2, 3))
    assert (moved.sum((1, 2, 3)) - 16).abs().max() < 0.5
    assert 3.5 < (middle - 9.5).abs().max() < 4.01
    grown = augmented(planes, settings(flip=0.0, scale=[2.0, 2.0]), torch.Generator())
    assert float(grown[0].sum()) == pytest.approx(64, abs=2)


def test_the_loss_is_cross_entropy_and_ignores_missing_labels() -> None:
    logits = {"article_type": torch.randn(4, 5), "gender": torch.randn(4, 2)}
    labels = torch.tensor([[0, 1], [4, NO_LABEL], [2, 0], [1, NO_LABEL]])
    known = labels[:, 1] != NO_LABEL
    wanted = torch.nn.functional.cross_entropy(
        logits["article_type"], labels[:, 0], label_smoothing=0.1
    ) + 0.5 * torch.nn.functional.cross_entropy(
        logits["gender"][known], labels[known, 1], label_smoothing=0.1
    )
    assert torch.allclose(loss_of(logits, labels, settings(label_smoothing=0.1)), wanted)
    nothing = torch.full((4, 2), NO_LABEL)
    assert float(loss_of(logits, nothing, settings())) == 0


def test_the_studys_rate_falls_after_seven_epochs() -> None:
    rates = [learning_rate(settings(), epoch) for epoch in (0, 6.99, 7, 10.5)]
    assert rates == pytest.approx([1e-3, 1e-3, 1e-4, 1e-4])
    cosine = settings(schedule="cosine", epochs=10, warmup_epochs=2.0, learning_rate=1.0)
    rates = [learning_rate(cosine, epoch) for epoch in (0, 1, 5, 10)]
    assert rates == pytest.approx([0, 0.5 * (1 + np.cos(0.1 * np.pi)) / 2, 0.5, 0])


def test_only_matrices_decay() -> None:
    layer = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    decayed, others = sgd(layer, settings(weight_decay=0.1)).param_groups
    assert [tuple(p.shape) for p in decayed["params"]] == [(2, 3)]
    assert (decayed["weight_decay"], others["weight_decay"]) == (0.1, 0.0)
    assert len(others["params"]) == 3
