"""Bad model folders, and warehouse folders that are not ours."""

import json
import os
import pickle
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import deltalake
import pyarrow as pa
import safetensors.torch
import torch
from corpus import Case, holes, nothing

from fashionrec.tables import PRODUCTS, RUNS

Change = Callable[[Path], object]
_CARD, _WEIGHTS = "model.json", "weights.safetensors"


def _edited(**changes: Any) -> Change:
    """Change fields of model.json; a name with two underscores is a field of a field."""

    def change(folder: Path) -> None:
        card = json.loads((folder / _CARD).read_text())
        for name, value in changes.items():
            *above, field = name.split("__")
            place = card
            for part in above:
                place = place[part]
            place[field] = value
        (folder / _CARD).write_text(json.dumps(card))

    return change


def _without(field: str) -> Change:
    def change(folder: Path) -> None:
        card = json.loads((folder / _CARD).read_text())
        del card[field]
        (folder / _CARD).write_text(json.dumps(card))

    return change


def _card(content: bytes | Change) -> Change:
    """Give the folder another model.json."""

    def change(folder: Path) -> None:
        (folder / _CARD).unlink()
        Case("", content, "").write(folder / _CARD)

    return change


def _weights(content: bytes | Change) -> Change:
    """Give the folder other weights, and their hash where they are bytes."""

    def change(folder: Path) -> None:
        (folder / _WEIGHTS).unlink()
        Case("", content, "").write(folder / _WEIGHTS)
        if isinstance(content, bytes):
            _edited(weights__sha256=sha256(content).hexdigest())(folder)

    return change


def _tensors(alter: Callable[[dict[str, torch.Tensor]], object]) -> Change:
    """Alter the weights, and forge their hash."""

    def change(folder: Path) -> None:
        state = safetensors.torch.load((folder / _WEIGHTS).read_bytes())
        alter(state)
        _weights(safetensors.torch.save(state))(folder)

    return change


class _Evil:
    """What a pickle does when it is read."""

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return os.system, ("touch /tmp/fashionrec-was-here",)


def _header(text: bytes, length: int | None = None) -> bytes:
    return (len(text) if length is None else length).to_bytes(8, "little") + text


_OVERLAP = b'{"a":{"dtype":"F32","shape":[99999999],"data_offsets":[0,399999996]}}'
_NO_SAFETENSORS, _NO_JSON = "is no safetensors file", "is not JSON"
MODELS = [
    Case("model: not there", shutil.rmtree, "there is no such model folder"),
    Case("model: no card", _card(nothing), "model.json: cannot be read"),
    Case("model: card is a folder", _card(lambda path: path.mkdir()), "is no file of at most"),
    Case("model: card is a pipe", _card(os.mkfifo), "is no file of at most"),
    Case("model: card is a device", _card(lambda p: p.symlink_to("/dev/zero")), "is no file of at"),
    Case("model: card of ten gigabytes", _card(holes(10 << 30)), "is no file of at most"),
    Case("model: card in a circle", _card(lambda p: p.symlink_to(p.name)), "cannot be read"),
    Case("model: card is empty", _card(b""), _NO_JSON),
    Case("model: card is cut", _card(b'{"name": "x"'), _NO_JSON),
    Case("model: card is not UTF-8", _card(b'{"name": "\xff"}'), _NO_JSON),
    Case("model: card is deep", _card(b"[" * 100_000), _NO_JSON),
    Case("model: card is a list", _card(b"[]"), "model.json: ''"),
    Case("model: card is null", _card(b"null"), "model.json: ''"),
    Case("model: card is a pickle", _card(pickle.dumps(_Evil())), _NO_JSON),
    Case("model: no name", _without("name"), "'name': field required"),
    Case("model: name is a path", _edited(name="../../x"), "'name': string should match"),
    Case("model: name is empty", _edited(name=""), "'name': string should match"),
    Case("model: name with a line end", _edited(name="x\n"), "'name': string should match"),
    Case("model: name is a number", _edited(name=5), "'name': input should be a valid string"),
    Case("model: no weights", _without("weights"), "'weights': field required"),
    Case("model: weights upwards", _edited(weights__file="../x"), "'weights.file'"),
    Case("model: weights absolute", _edited(weights__file="/etc/passwd"), "'weights.file'"),
    Case("model: weights are dots", _edited(weights__file=".."), "is no file of at most"),
    Case("model: other weights", _edited(weights__file="none.bin"), "cannot be read"),
    Case("model: no hash", _edited(weights={"file": _WEIGHTS}), "'weights.sha256': field required"),
    Case("model: wrong hash", _edited(weights__sha256="0" * 64), "its SHA-256 is"),
    Case("model: empty hash", _edited(weights__sha256=""), "its SHA-256 is"),
    Case("model: unknown network", _edited(architecture="vgg16"), "'vgg16' is none of"),
    Case("model: a module for a network", _edited(architecture="os.system"), "is none of"),
    Case("model: a list for a network", _edited(architecture=["resnet18"]), "is none of"),
    Case("model: another network", _edited(architecture="resnet50"), "weights"),
    Case("model: height of 0", _edited(preprocessing__height=0), "'preprocessing.height'"),
    Case(
        "model: height of a billion", _edited(preprocessing__height=10**9), "preprocessing.height"
    ),
    Case("model: width in words", _edited(preprocessing__width="wide"), "'preprocessing.width'"),
    Case("model: unknown resize", _edited(preprocessing__resize="eval"), "'preprocessing.resize'"),
    Case("model: mean of NaN", _edited(preprocessing__mean=[float("nan")] * 3), "finite number"),
    Case("model: std of 0", _edited(preprocessing__std=[0, 1, 1]), "greater than 0"),
    Case("model: std of two", _edited(preprocessing__std=[1, 1]), "'preprocessing.std"),
    Case("model: std without end", _edited(preprocessing__std=[float("inf")] * 3), "finite number"),
    Case("model: a class less", _edited(classes__article_type=["Ties"]), "weights do not fit"),
    Case("model: a class of number", _edited(classes__article_type=[1]), "'classes.article_type"),
    Case("model: half a surrogate pair", _edited(classes__article_type=["\ud800"]), "'classes."),
    Case("model: threshold of 2", _edited(threshold=2), "'threshold'"),
    Case("model: threshold of NaN", _edited(threshold=float("nan")), "'threshold'"),
    Case("model: weights are a folder", _weights(lambda path: path.mkdir()), "is no file of at"),
    Case("model: weights are a pipe", _weights(os.mkfifo), "is no file of at most"),
    Case("model: weights of a terabyte", _weights(holes(1 << 40)), "is no file of at most"),
    Case(
        "model: weights are a device", _weights(lambda p: p.symlink_to("/dev/zero")), "is no file"
    ),
    Case("model: weights are empty", _weights(b""), _NO_SAFETENSORS),
    Case("model: weights are text", _weights(b"weights"), _NO_SAFETENSORS),
    Case("model: weights are a pickle", _weights(pickle.dumps(_Evil())), _NO_SAFETENSORS),
    Case("model: weights are zeros", _weights(bytes(1000)), _NO_SAFETENSORS),
    Case("model: endless header", _weights(_header(b"{}", 2**63)), _NO_SAFETENSORS),
    Case("model: header is no JSON", _weights(_header(b"junk")), _NO_SAFETENSORS),
    Case("model: header without data", _weights(_header(_OVERLAP)), _NO_SAFETENSORS),
    Case("model: no tensor", _weights(safetensors.torch.save({})), "the weights lack"),
    Case("model: weights are cut", lambda f: os.truncate(f / _WEIGHTS, 5_000), "its SHA-256 is"),
    Case("model: a tensor less", _tensors(lambda s: s.pop("conv1.weight")), "the weights lack"),
    Case("model: a tensor more", _tensors(lambda s: s.update(evil=torch.ones(1))), "does not know"),
    Case(
        "model: another shape",
        _tensors(lambda s: s.update({"conv1.weight": torch.ones(1, 1)})),
        "weights do not fit",
    ),
    Case(
        "model: weights of NaN",
        _tensors(lambda s: s["conv1.weight"].fill_(float("nan"))),
        r"the weights \['conv1.weight'\] are not finite",
    ),
]
# Sources that are no folder.
SOURCES = [
    Case("model: no weights of that name", b"torchvision:PIRATED", "has no weights"),
    Case("model: no network of that name", b"torchvision:evil/X", "is none of"),
    Case("model: torchvision and no more", b"torchvision:", "has no weights ''"),
    Case("model: a URL", b"http://example.com/model", "there is no such model folder"),
    Case("model: nobody's home", b"~nobody-at-all/model", "there is no such model folder"),
    Case("model: a device for a folder", b"/dev/null", "there is no such model folder"),
]


def _foreign(folder: Path) -> None:
    deltalake.write_deltalake(str(folder), pa.table({"id": [1, 2, 3]}))


def _table(name: str, change: Change) -> Change:
    return lambda warehouse: change(warehouse / name)


def _other(folder: Path) -> None:
    shutil.rmtree(folder)
    _foreign(folder)


def _log(change: Change, name: str = PRODUCTS.name) -> Change:
    """Change the last commit of a table's log, which has its schema."""
    return lambda warehouse: change(max((warehouse / name / "_delta_log").glob("*.json")))


def _replaced(old: bytes, new: bytes) -> Change:
    def change(path: Path) -> None:
        content = path.read_bytes()
        assert old in content
        path.write_bytes(content.replace(old, new))

    return change


def _written(content: bytes) -> Change:
    return lambda path: path.write_bytes(content)


def _whole(content: bytes) -> Change:
    """Write a log of one commit."""

    def change(path: Path) -> None:
        for commit in path.parent.glob("*.json"):
            commit.unlink()
        path.with_name(f"{0:020}.json").write_bytes(content)

    return change


def _appended(content: bytes) -> Change:
    return lambda path: path.write_bytes(path.read_bytes() + content)


def _file_for(path: Path) -> None:
    shutil.rmtree(path)
    path.write_text("mine")


def _only(name: str) -> Change:
    """Leave a folder with a single file in place of a table."""

    def change(folder: Path) -> None:
        shutil.rmtree(folder)
        Case("", b"mine", "").write(folder / name)

    return change


_UNREADABLE = "its log cannot be read"
# Changes of an empty warehouse of ours.
WAREHOUSES = [
    Case("warehouse: a file", _file_for, "is no folder"),
    Case("warehouse: a pipe", lambda path: (shutil.rmtree(path), os.mkfifo(path)), "is no folder"),
    Case("warehouse: a foreign table", _other, "is a Delta table and no folder of tables"),
    Case("warehouse: foreign products", _table("products", _other), "has the columns"),
    Case("warehouse: foreign runs", _table("runs", _other), "has the columns"),
    Case("warehouse: products is a file", _table("products", _file_for), "is not a Delta table"),
    Case("warehouse: products of letters", _table("products", _only("a.txt")), "is not a Delta"),
    Case(
        "warehouse: products of parquet", _table("products", _only("a.parquet")), "is not a Delta"
    ),
    Case("warehouse: images of pictures", _table("images", _only("1.jpg")), "is not a Delta table"),
    Case("warehouse: log of letters", _table("runs", _only("_delta_log/a.txt")), "is not a Delta"),
    Case("warehouse: log is empty", _log(_whole(b"")), _UNREADABLE),
    Case("warehouse: log is cut", _log(lambda path: os.truncate(path, 200)), _UNREADABLE),
    Case("warehouse: log of zeros", _log(_written(bytes(500))), _UNREADABLE),
    Case("warehouse: log of noise", _log(_written(b"\xff\xfe" * 200)), _UNREADABLE),
    Case("warehouse: log of a list", _log(_written(b"[]\n")), _UNREADABLE),
    Case("warehouse: log is deep", _log(_written(b"[" * 100_000)), _UNREADABLE),
    Case("warehouse: log without schema", _log(_whole(b'{"commitInfo":{}}\n')), _UNREADABLE),
    Case(
        "warehouse: log with a gap",
        _log(lambda path: path.with_name(f"{9:020}.json").write_text('{"commitInfo":{}}\n')),
        _UNREADABLE,
    ),
    Case("warehouse: log of no type", _log(_replaced(b'\\"long\\"', b'\\"lung\\"')), _UNREADABLE),
    Case(
        "warehouse: runs are cut", _log(lambda path: os.truncate(path, 200), RUNS.name), _UNREADABLE
    ),
    Case(
        "warehouse: another type",
        _log(_replaced(b'\\"long\\"', b'\\"string\\"')),
        "product_id is string, this version of fashionrec needs BIGINT",
    ),
    Case(
        "warehouse: a column under another name",
        _log(_replaced(b"base_colour", b"base_color")),
        "has the columns .*base_color",
    ),
    Case(
        "warehouse: a newer form of Delta",
        _log(_appended(b'{"protocol":{"minReaderVersion":99,"minWriterVersion":99}}\n')),
        _UNREADABLE,
    ),
]
