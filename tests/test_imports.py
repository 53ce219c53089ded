"""The package never imports jobs, and numerical code imports neither Spark nor petastorm."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "lib" / "fashionrec"

NUMERICAL = [
    "benchmark/embed_loops",
    "benchmark/embed_parity",
    "benchmark/pictures",
    "benchmark/inverted",
    "benchmark/report",
    "benchmark/vectors",
    "config",
    "dashboard/access",
    "dashboard/catalogue",
    "dashboard/export",
    "dashboard/figures",
    "dashboard/filters",
    "dashboard/judged",
    "dashboard/pictures",
    "dashboard/theme",
    "dashboard/told",
    "dashboard/warehouse",
    "dashboard/words",
    "datafiles",
    "doctor/finding",
    "doctor/software",
    "doctor/storage",
    "duck",
    "embed/decode",
    "embed/encode",
    "embed/encoder",
    "embed/engines",
    "embed/model",
    "embed/network",
    "embed/openvino_engine",
    "embed/preprocessing",
    "embed/torch_engine",
    "evaluation/classification",
    "evaluation/colours",
    "evaluation/judge",
    "evaluation/plots",
    "evaluation/retrieval",
    "fetch",
    "ingest/csv_lines",
    "ingest/details",
    "ingest/entries",
    "ingest/examine",
    "ingest/known",
    "ingest/links",
    "ingest/listing",
    "ingest/pictures",
    "ingest/styles",
    "ingest/tars",
    "logs",
    "lookup",
    "neighbours/cells",
    "neighbours/certificate",
    "neighbours/exact",
    "neighbours/incremental",
    "neighbours/inverted",
    "neighbours/items",
    "neighbours/local",
    "neighbours/plans",
    "neighbours/recall",
    "neighbours/requests",
    "neighbours/searchable",
    "neighbours/shared",
    "neighbours/ruled",
    "neighbours/rules",
    "neighbours/topk",
    "opening",
    "outcome",
    "pace",
    "read",
    "lock",
    "sample/__init__",
    "snapshot",
    "status",
    "tables",
    "training/checkpoint",
    "training/classifier",
    "training/examples",
    "training/loop",
    "training/recipe",
    "training/snapshot",
    "training/state",
    "training/tracking",
    "training/version",
    "urls",
]


def imports_of(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def reachable(path: Path, seen: set[Path]) -> set[str]:
    """Everything that a module imports, through the package's own modules as well."""
    if path in seen:
        return set()
    seen.add(path)
    names = imports_of(path)
    for name in list(names):
        if name.startswith("fashionrec"):
            below = PACKAGE.parent / name.replace(".", "/")
            own = (
                below.with_suffix(".py")
                if below.with_suffix(".py").exists()
                else below / "__init__.py"
            )
            names |= reachable(own, seen)
    return names


@pytest.mark.parametrize("module", NUMERICAL)
def test_numerical_code_knows_no_spark(module: str) -> None:
    roots = {name.split(".")[0] for name in reachable(PACKAGE / f"{module}.py", set())}
    assert not roots & {"pyspark", "delta", "petastorm"}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=str)
def test_package_imports_no_jobs_and_only_store_knows_delta(path: Path) -> None:
    roots = {name.split(".")[0] for name in imports_of(path)}
    assert "jobs" not in roots
    assert path.name == "store.py" or "delta" not in roots
