"""A model version's folder: written whole or not at all. No Spark."""

import json
import shutil
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import safetensors.torch

from fashionrec.embed.model import Model, load_model
from fashionrec.paths import write_whole
from fashionrec.training.classifier import ARTICLE_TYPE, Blueprint, Classifier, model_state

TRAINING_PRODUCTS = "training_products.txt"
WEIGHTS = "weights.safetensors"


def as_model(name: str, classifier: Classifier, blueprint: Blueprint) -> Model:
    """Return a trained network as a model, in memory."""
    weights = safetensors.torch.save(model_state(classifier))
    classes = dict(blueprint.classes)
    return Model.of(
        name,
        sha256(weights).hexdigest(),
        source=name,
        architecture=blueprint.architecture,
        preprocessing=blueprint.preprocessing,
        classes=classes.pop(ARTICLE_TYPE),
        heads=classes,
        threshold=None,
        metrics={},
        weights=weights,
    )


def products_seen(folder: Path) -> set[int]:
    """Return the ids that a model folder's training saw; none where it lists none."""
    path = folder / TRAINING_PRODUCTS
    return {int(line) for line in path.read_text().split()} if path.exists() else set()


def write_version(
    root: Path,
    name: str,
    model: Model,
    card: Mapping[str, Any],
    seen: Iterable[int],
    files: Mapping[str, bytes],
) -> Path:
    """Write root/NAME-HASH and return it; what is there under that name already is the same model.

    card: what model.json says beside what is needed to use the model.
    """
    root.mkdir(parents=True, exist_ok=True)
    ids = sorted(set(seen))
    with TemporaryDirectory(prefix=f".{name}.", dir=root) as workshop:
        # A folder inside the temporary one has the usual permissions; its rename shows all at once.
        part = Path(workshop) / name
        part.mkdir()
        write_whole(part / WEIGHTS, model.weights)
        write_whole(part / TRAINING_PRODUCTS, "".join(f"{i}\n" for i in ids).encode())
        for file, content in files.items():
            write_whole(part / file, content)
        document = {**_document(name, model, len(ids)), **card}
        write_whole(part / "model.json", json.dumps(document, indent=1).encode())
        folder = root / load_model(str(part), root).version
        if folder.exists():  # a training that was resumed after its last step
            shutil.rmtree(folder)
        part.rename(folder)
    return folder


def _document(name: str, model: Model, seen: int) -> dict[str, Any]:
    return {
        "name": name,
        "architecture": model.architecture,
        "weights": {
            "file": WEIGHTS,
            "dtype": "float16",
            "sha256": sha256(model.weights).hexdigest(),
        },
        "preprocessing": model.preprocessing.model_dump(),
        "classes": {ARTICLE_TYPE: model.classes, **model.heads},
        "training_products": {"file": TRAINING_PRODUCTS, "count": seen},
    }


def print_version(folder: Path) -> None:
    """Print where a model version lies, its figures, and what to do with it."""
    model = load_model(str(folder), folder)
    print(folder)
    for name, value in model.metrics.items():
        print(f"  {name:<28}{value:>10.4g}")
    print(f"  {'threshold':<28}{model.threshold or 1:>10.4g}")
    print(
        f"\nTry next:\n  ./spark-submit.sh evaluate {folder}\n  ./spark-submit.sh promote {folder}"
    )


def table_version(folder: Path, table: str) -> int | None:
    """Return the version of the table that a model was trained on; None: it was another table."""
    path = folder / "model.json"
    document = json.loads(path.read_bytes()) if path.exists() else {}
    trained_on = document.get("training", {}).get("table", {})
    return int(trained_on["version"]) if trained_on.get("path") == table else None
