"""Which device a network runs on, without needing one."""

from types import SimpleNamespace

import pytest
import torch

from conftest import ROOT
from fashionrec.config import load
from fashionrec.embed import frames
from fashionrec.embed.engines import choose_program
from fashionrec.embed.model import load_model
from fashionrec.embed.torch_engine import device_of
from fashionrec.errors import FashionrecError

EMBED = load().embed


@pytest.mark.parametrize(
    ("device", "gpu", "visible", "wanted"),
    [
        ("cpu", None, 0, "cpu"),
        ("cuda", None, 2, "cuda:0"),  # local mode: Spark schedules no GPUs
        ("cuda", 1, 2, "cuda:1"),
        ("cuda", 3, 1, "cuda:0"),  # a container that sees its own GPU alone
    ],
)
def test_a_task_takes_the_gpu_it_was_given(
    device: str, gpu: int | None, visible: int, wanted: str
) -> None:
    assert device_of(device, gpu, visible) == torch.device(wanted)


@pytest.mark.parametrize(
    ("resources", "wanted"),
    [({}, None), ({"gpu": SimpleNamespace(addresses=["3"])}, 3)],
)
def test_the_address_comes_from_spark(
    monkeypatch: pytest.MonkeyPatch, resources: dict[str, object], wanted: int | None
) -> None:
    task = SimpleNamespace(resources=lambda: resources)
    monkeypatch.setattr(frames.TaskContext, "get", lambda: task)
    assert frames.assigned_gpu() == wanted


def test_outside_a_task_there_is_no_address() -> None:
    assert frames.assigned_gpu() is None


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_cuda_without_a_gpu_is_an_error_before_any_work() -> None:
    model = load_model("models/fashion-base", ROOT)
    with pytest.raises(FashionrecError, match="torch sees no usable GPU"):
        choose_program(model, EMBED.model_copy(update={"device": "cuda"}))
    assert choose_program(model, EMBED).engine.endswith("cpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_agrees_with_the_cpu() -> None:
    import numpy as np

    model = load_model("models/fashion-base", ROOT)
    rng = np.random.default_rng(0)
    pictures = list(rng.integers(0, 255, (8, 96, 72, 3), dtype=np.uint8))
    devices = ("cuda", "cpu")
    one, other = (
        choose_program(model, EMBED.model_copy(update={"device": d})).load(2).encode(pictures)
        for d in devices
    )
    cosines = [float(a.embedding @ b.embedding) for a, b in zip(one, other, strict=True)]
    assert min(cosines) > 0.998
