import json
import urllib.error
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
import torchvision.models

from conftest import ROOT, write_model
from fashionrec.config import load
from fashionrec.embed.engines import choose_program
from fashionrec.embed.model import load_model
from fashionrec.embed.network import load_network
from fashionrec.errors import FashionrecError

EMBED = load().embed


def edit(folder: Path, **changes: object) -> None:
    card = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(card | changes))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model", seed=1)


def random_pictures(count: int, height: int, width: int) -> list[np.ndarray]:
    return list(
        np.random.default_rng(0).integers(0, 255, (count, height, width, 3), dtype=np.uint8)
    )


def test_the_version_is_of_all_that_decides_an_embedding(folder: Path, tmp_path: Path) -> None:
    version = load_model(str(folder), tmp_path).version
    assert version.startswith("tiny-")
    edit(folder, threshold=0.5, metrics={"article_type_top1": 0.9})
    assert load_model(str(folder), tmp_path).version == version
    card = json.loads((folder / "model.json").read_text())
    edit(folder, preprocessing=card["preprocessing"] | {"height": 40})
    assert load_model(str(folder), tmp_path).version != version
    other = write_model(tmp_path / "other", seed=2)
    assert load_model(str(other), tmp_path).version != version


def test_embeddings_are_the_pooling_layers_at_unit_length(folder: Path, tmp_path: Path) -> None:
    model = load_model(str(folder), tmp_path)
    plain = torchvision.models.resnet18(num_classes=len(model.classes))
    plain.load_state_dict(
        {k: v.float() if v.is_floating_point() else v for k, v in
         safetensors.torch.load_file(folder / "weights.safetensors").items()}
    )  # fmt: skip
    pooled = {}
    plain.avgpool.register_forward_hook(lambda _m, _i, out: pooled.update(out=out.flatten(1)))
    pixels = torch.from_numpy(np.stack(random_pictures(3, 32, 24)))
    normalised = (pixels.permute(0, 3, 1, 2) / 255 - 0.5) / 0.25
    with torch.inference_mode():
        wanted = plain.eval()(normalised).softmax(1)
        embeddings, probabilities = load_network(model)(pixels)
    unit = torch.nn.functional.normalize(pooled["out"])
    assert torch.allclose(embeddings, unit, atol=1e-5)
    assert torch.allclose(probabilities, wanted, atol=1e-5)
    assert embeddings.shape == (3, 512)


@pytest.mark.parametrize("engine", ["openvino", "torch"])
def test_engines_agree_with_fp32_and_not_on_the_batch(engine: str) -> None:
    model = load_model("models/fashion-base", ROOT)
    pictures = random_pictures(5, 96, 72)
    with torch.inference_mode():
        wanted, probabilities = load_network(model)(torch.from_numpy(np.stack(pictures)))
    program = choose_program(model, EMBED.model_copy(update={"engine": engine, "device": "cpu"}))
    encoder = program.load(2)
    together = encoder.encode(pictures)
    cosines = [float(a.embedding @ b) for a, b in zip(together, wanted.numpy(), strict=True)]
    assert min(cosines) > 0.998
    alone = [encoder.encode([picture])[0] for picture in pictures]
    for one, other, expected in zip(together, alone, probabilities, strict=True):
        assert np.array_equal(one.embedding, other.embedding)
        assert one.article_type == model.classes[int(expected.argmax())]
        assert one.probability == pytest.approx(float(expected.max()), abs=0.05)


def test_openvino_says_nothing_over_the_network() -> None:
    import sys

    import openvino  # noqa: F401

    from fashionrec.embed import openvino_engine  # noqa: F401

    assert sys.modules["openvino_telemetry"] is None


def test_a_folder_without_a_head_predicts_nothing(tmp_path: Path) -> None:
    model = load_model(str(write_model(tmp_path / "headless", 0, classes=[])), tmp_path)
    assert model.classes == ()
    for engine in ("openvino", "torch"):
        program = choose_program(model, EMBED.model_copy(update={"engine": engine}))
        result = program.load(1).encode(random_pictures(1, 32, 24))[0]
        assert (result.article_type, result.probability) == (None, None)
        assert float(np.linalg.norm(result.embedding)) == pytest.approx(1, abs=1e-3)


def test_torchvision_weights_come_with_the_studys_transform(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state = torchvision.models.resnet50().state_dict()
    weights = torchvision.models.ResNet50_Weights
    asked: dict[str, object] = {}
    monkeypatch.setattr(weights, "get_state_dict", lambda _self, **how: asked.update(how) or state)
    model = load_model("torchvision:IMAGENET1K_V2", ROOT)
    assert asked["check_hash"] is asked["weights_only"] is True
    assert model.version.startswith("resnet50-imagenet1k-v2-")
    assert (model.preprocessing.shorter_side, model.preprocessing.height) == (256, 224)
    assert load_network(model).head is None


def test_torchvision_weights_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_args: object, **_options: object) -> None:
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(torchvision.models.ResNet50_Weights, "get_state_dict", offline)
    with pytest.raises(FashionrecError, match=r"could not be downloaded .*no network"):
        load_model("torchvision:IMAGENET1K_V2", ROOT)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("torchvision:V9", "has no weights 'V9'; it has IMAGENET1K_V1, IMAGENET1K_V2"),
        ("torchvision:vgg16/IMAGENET1K_V1", "'vgg16' is none of"),
        ("nowhere", "there is no such model folder"),
    ],
)
def test_unknown_models_are_named(source: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(FashionrecError, match=message):
        load_model(source, tmp_path)


def test_spoiled_folders_are_one_clear_line(folder: Path, tmp_path: Path) -> None:
    weights = folder / "weights.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + b"x")
    with pytest.raises(FashionrecError, match=r"its SHA-256 is .*, model.json says"):
        load_model(str(folder), tmp_path)
    weights.write_bytes(content)
    edit(folder, architecture="resnet34")
    with pytest.raises(FashionrecError, match="lack"):
        load_network(load_model(str(folder), tmp_path))
    edit(folder, architecture="os.system")
    with pytest.raises(FashionrecError, match="architecture 'system' is none of"):
        load_model(str(folder), tmp_path)
    edit(folder, weights={"file": "../secret", "sha256": ""})
    with pytest.raises(FashionrecError, match=r"'weights.file'"):
        load_model(str(folder), tmp_path)
    (folder / "model.json").write_text("[1")
    with pytest.raises(FashionrecError, match="is not JSON"):
        load_model(str(folder), tmp_path)
