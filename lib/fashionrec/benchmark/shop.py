"""A shop of any size, drawn in seconds: lines, pictures in a tar, and a small network for them."""

import io
import json
import tarfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
import torchvision.models
from PIL import Image

from fashionrec.ingest.styles import COLUMNS

_SIZE = (24, 32)
TYPES = tuple(f"Type {number}" for number in range(35))
_CHOICES = (
    ("Men", "Women", "Unisex"),
    ("Apparel", "Footwear", "Accessories"),
    ("Topwear", "Bottomwear", "Shoes", "Bags", "Watches"),
    TYPES,
    ("Red", "Blue", "Black", "White", "Green"),
    ("Summer", "Fall", "Winter"),
    ("2011", "2012", "2013"),
    ("Casual", "Formal", "Sports"),
)


def draw_shop(folder: Path, products: int, changed: int = 0) -> Path:
    """Write a catalogue; with `changed`, one in so many products has another name and picture."""
    (folder / "catalogue").mkdir(exist_ok=True)
    with (folder / "catalogue" / "styles.csv").open("w") as lines:
        lines.write(",".join(COLUMNS) + "\n")
        rng = np.random.default_rng(0)
        for product in range(products):
            values = (choices[rng.integers(len(choices))] for choices in _CHOICES)
            again = " again" if changed and product % changed == 0 else ""
            lines.write(f"{product},{','.join(values)},Article {product}{again}\n")
    with tarfile.open(folder / "catalogue" / "images.tar", "w") as tar:
        for product in range(products):
            seed = product + products * bool(changed and product % changed == 0)
            content = _picture(seed)
            member = tarfile.TarInfo(f"images/{product}.jpg")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return folder / "catalogue"


def _picture(seed: int) -> bytes:
    """Return coarse noise as a JPEG, so that no two pictures look alike."""
    pixels = np.random.default_rng(seed).integers(0, 256, (4, 3, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).resize(_SIZE, Image.Resampling.BILINEAR).save(stream, "JPEG")
    return stream.getvalue()


def write_small_model(folder: Path, classes: Sequence[str] = TYPES, seed: int = 0) -> Path:
    """Write a model folder: a ResNet18 of random weights that looks at 32x24 pixels."""
    torch.manual_seed(seed)
    state = torchvision.models.resnet18(num_classes=len(classes) or 1).half().state_dict()
    if not classes:
        state = {name: tensor for name, tensor in state.items() if not name.startswith("fc.")}
    weights = safetensors.torch.save(state)
    folder.mkdir(parents=True)
    (folder / "weights.safetensors").write_bytes(weights)
    preprocessing = {"height": _SIZE[1], "width": _SIZE[0], "resize": "stretch"}
    card = {
        "name": "tiny",
        "architecture": "resnet18",
        "weights": {"file": "weights.safetensors", "sha256": sha256(weights).hexdigest()},
        "preprocessing": preprocessing | {"mean": [0.5] * 3, "std": [0.25] * 3},
        "classes": {"article_type": list(classes)},
        "metrics": {"article_type_top1": 0.1, "validation": "random weights"},
    }
    (folder / "model.json").write_text(json.dumps(card))
    return folder
