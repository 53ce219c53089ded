"""docs/questions.md: every query is run on the sample catalogue, and gives the answer beside it."""

import io
import re
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from conftest import ROOT, run
from fashionrec import duck, read
from fashionrec.engines import Query
from fashionrec.results import write

PAGE = ROOT / "docs" / "questions.md"
ASKED = re.compile(r"^## \d+\. (.+?)\n\n```sql\n(.+?)\n```\n\n```\n(.+?)\n```", re.M | re.S)
QUESTIONS = ASKED.findall(PAGE.read_text())
# Another processor rounds a network's numbers in another way: a count may be off by one or two.
_OFF, _SHARE = 2, 0.05


@pytest.fixture(scope="module")
def answers(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Query:
    """A night over the whole sample catalogue with the default model, in DuckDB."""
    folder = tmp_path_factory.mktemp("questions")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LOG_DIR", str(folder / "logs"))
        patch.setenv("FASHIONREC_HOME", str(ROOT))
        sample = ("--set", f"sample.folder={folder / 'sample'}")
        assert run("nightly", "--warehouse", folder / "warehouse", *sample) == 0
    return duck.engine(read.warehouse(Path(folder / "warehouse")))


def test_there_are_fifteen() -> None:
    assert len(QUESTIONS) == 15


@pytest.mark.parametrize(("question", "query", "answer"), QUESTIONS)
def test_the_answer_is_that_of_the_page(
    answers: Query, question: str, query: str, answer: str
) -> None:
    out = io.StringIO()
    write(answers(query), "table", out)
    found, expected = cells(out.getvalue()), cells(answer)
    assert len(found) == len(expected), out.getvalue()
    by_model = any(word in query for word in ("recommend", "duplicates", "misclassified", "cross"))
    for cell, wanted in zip(found, expected, strict=True):
        if by_model and is_number(wanted):
            assert float(cell) == pytest.approx(
                float(wanted), rel=_SHARE, abs=_OFF if "." not in wanted else 0.02
            )
        else:
            assert cell == wanted, out.getvalue()


def cells(table: str) -> list[str]:
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [cell.strip() for line in lines for cell in line.strip("|").split("|")]


def is_number(text: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?", text) is not None
