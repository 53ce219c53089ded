"""What the page tells of runs, without a browser."""

from typing import Any

import pytest

from fashionrec.audit_names import MEASURES, as_count, value_of
from fashionrec.config import load
from fashionrec.dashboard.told import audits, counts_of, runs, summed_violations, violations
from fashionrec.dashboard.warehouse import Warehouse
from fashionrec.status import last_runs

COUNTS = {"publish.rows_changed": 7, "audits.complete": 12_345, "audits.churn_ppm": 312_500}
REFUSED = "recommendations stay as they were: complete: products (audits.complete.limit is 0): 1, 2"


def told(message: str | None = None, **counts: int) -> dict[str, tuple[str, str, str]]:
    run: dict[str, Any] = {"message": message, "counts": COUNTS | counts}
    rows = audits(run, load().audits).itertuples(index=False, name=None)
    return dict(zip(MEASURES, (row[1:] for row in rows), strict=True))


def test_each_rule_with_its_value_and_limit() -> None:
    rows = told(REFUSED)
    assert rows["complete"] == ("12,345", "0", "refused")
    assert rows["churn"] == ("0.3125", "0.5", "passed")
    assert rows["embedded"] == ("", "0.01", "")


def test_a_first_night_records_every_rule_that_applies(shop: Warehouse) -> None:
    [night] = runs(shop, last_runs(shop.path, load().lock)).to_dict("records")
    counts = night["counts"]
    rejected = counts["ingest.rejected_lines"] / counts["ingest.lines"]
    assert 0 < rejected == pytest.approx(value_of("rejected", counts), abs=1e-6)
    measured = {rule: value_of(rule, counts) is not None for rule in MEASURES}
    compared = {"removed", "churn", "drift"}  # with the night before
    assert measured == {rule: rule not in compared for rule in MEASURES}


def test_a_rule_that_only_warns() -> None:
    message = "publish: churn: share of lists that changed 0.3 (audits.churn.limit is 0.1)"
    assert told(message)["churn"][2] == "warned"


@pytest.mark.parametrize("rule", MEASURES)
def test_a_record_gives_back_what_was_measured(rule: str) -> None:
    for value in (0.0, 1.0, 0.25, 3.0):
        name, count = as_count(rule, value)
        whole = not name.endswith("_ppm")
        assert value_of(rule, {f"audits.{name}": count}) == (int(value) if whole else value)
    assert value_of(rule, {}) is None


def test_counts_leave_out_what_audits_measured() -> None:
    assert counts_of(COUNTS).to_numpy().tolist() == [["publish", "rows changed", 7]]


def test_violations_are_told_summed_and_one_by_one(shop: Warehouse) -> None:
    summed, each = summed_violations(shop), violations(shop, 1_000)
    assert summed["products"].sum() == len(each) > 0
    unpictured = each[each["expectation"] == "pictured"]
    assert unpictured["name"].notna().all()
    assert set(unpictured["found"]) == {"{image_sha256=NULL}"}
