"""Audits of the lists about to be published: named rules, each with a limit and a severity of conf.

A rule is broken where its number is over its limit. What breaks it is looked for only then.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fashionrec.audit_names import MEASURES
from fashionrec.audit_rules import RULES, Night
from fashionrec.settings import AuditSettings

log = logging.getLogger(__name__)

_KEYS_TOLD = 10


@dataclass(frozen=True)
class Measured:
    """What a rule measured, and some of the keys that break it where that is over its limit."""

    rule: str
    value: float
    setting: AuditSettings
    keys: list[str]

    @property
    def is_broken(self) -> bool:
        """Whether the value is over the rule's limit."""
        return self.value > self.setting.limit

    def __str__(self) -> str:
        keys = f": {', '.join(self.keys)}" if self.keys else ""
        what = f"{self.value:g} (audits.{self.rule}.limit is {self.setting.limit:g})"
        return f"{self.rule}: {MEASURES[self.rule]} {what}{keys}"


def audit(night: Night, settings: dict[str, AuditSettings]) -> Iterator[Measured]:
    """Measure every rule that applies."""
    for rule, measure in RULES.items():
        measured = None if settings[rule].severity == "off" else measure(night)
        if measured is None:
            continue
        value, offenders = measured
        limit = settings[rule].limit
        log.info("audit %s: %s %g (limit %g)", rule, MEASURES[rule], value, limit)
        yield Measured(rule, value, settings[rule], _keys(offenders) if value > limit else [])
    night.lists.unpersist()


def _keys(offenders: DataFrame | None) -> list[str]:
    if offenders is None:
        return []
    rows = offenders.select(F.col("key").cast("string")).orderBy("key").limit(_KEYS_TOLD)
    return [row[0] for row in rows.collect()]
