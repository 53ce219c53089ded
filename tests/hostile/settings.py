"""Bad settings, files of settings, and options."""

import os
from pathlib import Path

from corpus import Case, holes, nothing

# What --set is given, and what is said of it.
_VALUES = {
    "": "give key=value",
    "=": "give key=value",
    "....=1": "give key=value",
    "embed.batch_size": "give key=value",
    "embed.\nbatch_size=1": r"no setting 'embed.\\nbatch_size'|no setting",
    "\x1b[31mred=1": r"there is no setting '\\x1b\[31mred'",
    "__class__=1": "there is no setting '__class__'",
    "embed.__init__=1": "there is no setting 'embed.__init__'",
    "audits.nothing.limit=0": "there is no setting 'audits.nothing.limit'",
    "neighbours.lists.x.rule=1": "there is no setting 'neighbours.lists.x.rule'",
    "a" + ".a" * 5_000 + "=1": "nested too deeply|there is no setting",
    "embed=" + "[" * 5_000: "should be a valid dictionary",
    "embed=" + "{a=" * 5_000: "should be a valid dictionary",
    "embed.batch_size=" + "9" * 5_000: "should be a valid integer",
    "embed.batch_size=100001": "less than or equal to 100000",
    "embed.batch_size=1000000000000000000000000": "less than or equal to 100000",
    "embed.batch_size=1e400": "should be a valid integer",
    "embed.batch_size=-1": "greater than 0",
    "embed.batch_size=nan": "should be a valid integer",
    "embed.batch_size=1979-05-27": "should be a valid integer",
    "embed.batch_size='64'": "should be a valid integer",
    "embed.batch_size=[64]": "should be a valid integer",
    "embed.device=cuda:0": "should be 'auto', 'cpu' or 'cuda'",
    "embed.device=": "should be 'auto', 'cpu' or 'cuda'",
    "embed.engine=os.system": "should be 'auto', 'openvino' or 'torch'",
    "neighbours.k=0": "greater than 0",
    "neighbours.k=99999999999": "less than or equal to 100000",
    "neighbours.min_recall=nan": "finite|less than or equal to 1",
    "neighbours.min_recall=inf": "finite|less than or equal to 1",
    "neighbours.lists=1": "should be a valid dictionary",
    "neighbours.lists.Über.enabled=true": "should match pattern",
    "neighbours.lists.similar.enabled=1": "should be a valid boolean",
    "neighbours.lists.similar.match=['price']": "should be 'gender'",
    "neighbours.lists.similar.exclude=['gender']": "should match pattern",
    "neighbours.lists.similar.universal=['gender=Unisex']": "must be in 'match'",
    "neighbours.lists.similar.min_similarity=-2": "greater than or equal to -1",
    "ingest.max_removed_share=1.1": "less than or equal to 1",
    "ingest.max_bytes=0": "greater than 0",
    "ingest.max_pixels=9999999999999999999": "less than or equal to",
    "ingest.null_values=[nan]": "should be a valid string",
    "fetch.max_seconds=inf": "finite number",
    "fetch.max_redirects=1000000": "less than or equal to 100",
    "fetch.allow_hosts=['*']": "should match pattern",
    "fetch.allow_hosts=['http://169.254.169.254']": "should match pattern",
    "finetune.name=../../etc": "should match pattern",
    "finetune.learning_rate=inf": "finite number",
    "finetune.seed=4294967296": "less than 4294967296",
    "finetune.size=[1, 2, 3]": "give \\[height, width\\]",
    "finetune.size=[1000000, 1]": "less than or equal to 4096",
    "finetune.scale=[1.0]": "at least 2 items",
    "expectations.named=1": "should be a valid dictionary",
    "expectations.named.limit=1.5": "less than or equal to 1",
    "expectations.named.holds=": "at least 1 character",
    "expectations.named.severity=fail": "should be 'refuse', 'warn' or 'off'",
    "expectations.2nd.holds=year > 0": "should match pattern",
    "expectations.mine.limit=0.5": "'expectations.mine.holds': string should have at least 1",
    "expectations.mine.condition=year > 0": "there is no setting 'expectations.mine.condition'",
    "lock.wait_seconds=inf": "finite number",
    "lock.dead_after_seconds=0": "greater than 60",
    "audits.removed.severity=ignore": "should be 'refuse', 'warn' or 'off'",
    "audits.removed=0.5": "should be a valid dictionary",
    "audits.removed.limit=-inf": "finite|greater than or equal to 0",
    "sample.products=1000000000": "less than or equal to 1000000",
    'warehouse="a\\u0000b"': "should match pattern",
    'catalogue="\\u0000"': "should match pattern",
    "warehouse=": "at least 1 character",
    "model=": "at least 1 character",
}
VALUES = [Case(f"--set {text[:40]!r}", text.encode(), says) for text, says in _VALUES.items()]

FILES = [
    Case("toml: not there", nothing, "cannot be read"),
    Case("toml: a folder", lambda path: path.mkdir(), "cannot be read"),
    Case("toml: a link to nowhere", lambda path: path.symlink_to("none"), "cannot be read"),
    Case("toml: a link in a circle", lambda path: path.symlink_to(path.name), "cannot be read"),
    Case("toml: /dev/zero", lambda path: path.symlink_to("/dev/zero"), "too large"),
    Case("toml: ten gigabytes", holes(10 << 30), "too large"),
    Case("toml: a megabyte of comment", b"#" * (1 << 20), "too large"),
    Case("toml: not UTF-8", b"model = '\xff'", "is not TOML"),
    Case("toml: UTF-16", "model = 'x'".encode("utf-16"), "is not TOML"),
    Case("toml: JSON", b'{"model": "x"}', "is not TOML"),
    Case("toml: YAML", b"model: x", "is not TOML"),
    Case("toml: null character", b"model = 'a\0'", "is not TOML"),
    Case("toml: endless text", b"model = '''x", "is not TOML"),
    Case("toml: a key twice", b"[embed]\n[embed]\n", "is not TOML"),
    Case("toml: deep lists", b"model = " + b"[" * 100_000, "is not TOML"),
    Case("toml: deep tables", b"a = " + b"{a=" * 100_000, "is not TOML"),
    Case("toml: deep keys", b"a" + b".a" * 2_000 + b" = 1", "nested too deeply|is not TOML|is no"),
    Case("toml: many digits", b"[embed]\nbatch_size = " + b"9" * 5_000, "is not TOML"),
    Case("toml: unknown section", b"[embedding]\nbatch_size = 1", "there is no setting"),
    Case("toml: a section for a value", b"[model]\nname = 'x'", "is no section"),
    Case("toml: a value for a section", b"embed = 1", "should be a valid dictionary"),
    Case("toml: pickle", b"\x80\x04cos\nsystem\n", "is not TOML"),
]


# Options that argparse or a job refuses, and what is said.
_OPTIONS = {
    ("lookup",): "the following arguments are required: PRODUCT_ID",
    ("lookup", "one"): "invalid int value: 'one'",
    ("lookup", "1e3"): "invalid int value",
    ("lookup", "9" * 5_000): "invalid int value",
    ("lookup", "1", "2"): "unrecognized arguments: 2",
    ("lookup", "1", "--warehous", "x"): "unrecognized arguments",
    ("lookup", "1", "--config"): "expected one argument",
    ("status", "--runs", "many"): "invalid number value",
    ("status", "--max-age", "nan"): "give hours",
    ("status", "--max-age", "inf"): "give hours",
    ("status", "--max-age", "-1"): "expected one argument|give hours",
    ("status", "--max-age", "1e300"): "give hours",
    ("sql", "--output", "x"): "--output takes the result of one QUERY",
    ("sql", "SELECT 1", "--format", "parquet"): "--format parquet needs a file",
    ("sql", "SELECT 1", "--engine", "hive"): "invalid choice: 'hive'",
    ("sql", "SELECT 1", "--format", "xml"): "invalid choice: 'xml'",
    ("nightly", "--nightly"): "unrecognized arguments",
    ("ingest",): "ingest needs a catalogue",
}
OPTIONS = [
    Case(" ".join(words)[:40], "\0".join(words).encode(), says) for words, says in _OPTIONS.items()
]


# Ids that no product can have.
IDS = [
    Case(f"id: {text}", text.encode(), "is not in the catalogue")
    for text in ("-1", str(1 << 63), "9" * 30)
]


def _no_csv(path: Path) -> None:
    path.mkdir()
    os.mkfifo(path / "styles.csv")


# Catalogues that are none.
CATALOGUES = [
    Case("catalogue: not there", nothing, "there is no such folder"),
    Case("catalogue: a file", b"id", "there is no such folder"),
    Case("catalogue: a pipe", os.mkfifo, "there is no such folder"),
    Case("catalogue: a device", lambda path: path.symlink_to("/dev/zero"), "no such folder"),
    Case("catalogue: a circle", lambda path: path.symlink_to(path.name), "no such folder"),
    Case("catalogue: empty", lambda path: path.mkdir(), "has no styles.csv"),
    Case("catalogue: a pipe for styles.csv", _no_csv, "has no styles.csv"),
    Case(
        "catalogue: the whole file system", lambda path: path.symlink_to("/"), "has no styles.csv"
    ),
]
