"""Rules as values: what a file said, checked and compiled."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from soc.detect.sigma.condition import Node, explain
from soc.detect.sigma.event import Event
from soc.detect.sigma.nearest import Lacking, nearest_filter
from soc.detect.sigma.threshold import Condition
from soc.model.finding import Match
from soc.model.value import Severity


class LogSource(NamedTuple):
    """Where a rule's events come from; None where the rule does not say."""

    category: str | None = None
    product: str | None = None
    service: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """What our own rules say under ``soc``; empty where they do not."""

    owner: str = ""
    reviewed: str = ""
    entity: str = ""
    bucket: str = ""
    response: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What every rule says about itself.

    id: a UUID or empty. name: the slug that everything refers to. licence: as the rule states it.
    digest: SHA-256 of the rule's text. level: one of Sigma's, or empty.
    """

    id: str
    name: str
    title: str
    level: str
    status: str
    tags: tuple[str, ...]
    author: str
    licence: str
    digest: str
    path: Path
    line: int
    extras: Extras = field(default_factory=Extras)

    @property
    def severity(self) -> Severity:
        """Return the level; medium where the rule has none."""
        return Severity(self.level or Severity.MEDIUM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(About):
    """A rule about single events.

    condition: compiled, with what the pipelines and filters require. selections: their names, as
    written. filters: which were put on it.
    """

    logsource: LogSource
    condition: Node
    selections: tuple[str, ...]
    filters: tuple[str, ...] = ()


class CountKind(StrEnum):
    """What a correlation measures in a window.

    event_count: hits. value_count: different values of fields. temporal: different rules that hit.
    temporal_ordered: different rules that hit one after the other, in the order of ``rules``.
    value_sum, value_avg, value_median, value_percentile: of the numbers in a field.
    """

    EVENT_COUNT = "event_count"
    VALUE_COUNT = "value_count"
    TEMPORAL = "temporal"
    TEMPORAL_ORDERED = "temporal_ordered"
    VALUE_SUM = "value_sum"
    VALUE_AVG = "value_avg"
    VALUE_MEDIAN = "value_median"
    VALUE_PERCENTILE = "value_percentile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation(About):
    """A rule about how often other rules hit.

    rules: their slugs. condition: what makes it true. counted: the fields whose values are
    measured. percentile: which one, for a value_percentile. aliases: for a name in ``group_by`` or
    ``counted``, the field that each rule's events have. generate: the rules it counts are findings
    of their own, too.
    """

    kind: CountKind
    rules: tuple[str, ...]
    group_by: tuple[str, ...]
    timespan: timedelta
    condition: Condition
    counted: tuple[str, ...] = ()
    percentile: int = 50
    aliases: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    generate: bool = False


class Hit(NamedTuple):
    """A rule that holds for an event."""

    rule: Rule
    event: Event

    @property
    def matched(self) -> tuple[Match, ...]:
        """Return what made it hold: each once, without what pipelines added."""
        return explain(self.rule.condition, self.event)

    @property
    def nearest_filter(self) -> tuple[Lacking, ...]:
        """Return what the event lacked to be spared by the exclusion that came nearest."""
        return nearest_filter(self.rule.condition, self.event)


class Failure(NamedTuple):
    """A rule that could not be evaluated on an event: neither a hit nor none."""

    rule: Rule
    reason: str
