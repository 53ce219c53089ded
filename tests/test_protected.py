"""The page of promises names tests that exist."""

import ast
import re

from conftest import ROOT

PAGE = ROOT / "docs" / "protected.md"
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")


def test_each_promise_has_its_test() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    promises = [row for row in rows if not row.startswith(("| promise", "| ---"))]
    assert len(promises) > 20
    for promise in promises:
        named = NAMED.findall(promise)
        assert named, promise
        for file, test in named:
            tree = ast.parse((ROOT / "tests" / file).read_text())
            names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
            assert test in names, f"{file} has no {test}"


def test_the_readme_links_to_the_page() -> None:
    assert "(docs/protected.md)" in (ROOT / "README.md").read_text()
