"""Audits of the lists about to be published: named rules, each with a limit and a severity of conf.

A rule is broken where its number is over its limit. What breaks it is looked for only then.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fashionrec.audit_rules import RULES, Night
from fashionrec.settings import AuditSettings

log = logging.getLogger(__name__)

_KEYS_TOLD = 10


@dataclass(frozen=True)
class Broken:
    """A rule whose value is over its limit."""

    rule: str
    value: float
    setting: AuditSettings
    keys: list[str]

    def __str__(self) -> str:
        keys = f": {', '.join(self.keys)}" if self.keys else ""
        what = f"{self.value:g} (audits.{self.rule}.limit is {self.setting.limit:g})"
        return f"{self.rule}: {RULES[self.rule][0]} {what}{keys}"


def audit(night: Night, settings: dict[str, AuditSettings]) -> Iterator[Broken]:
    """Measure every rule that applies, and return those that are broken."""
    for rule, (told, measure) in RULES.items():
        measured = None if settings[rule].severity == "off" else measure(night)
        if measured is None:
            continue
        value, offenders = measured
        log.info("audit %s: %s %g (limit %g)", rule, told, value, settings[rule].limit)
        if value > settings[rule].limit:
            yield Broken(rule, value, settings[rule], _keys(offenders))
    night.lists.unpersist()


def _keys(offenders: DataFrame | None) -> list[str]:
    if offenders is None:
        return []
    rows = offenders.select(F.col("key").cast("string")).orderBy("key").limit(_KEYS_TOLD)
    return [row[0] for row in rows.collect()]
