"""What detectors say: a finding, a score, or that they cannot tell yet."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from soc.model.value import Entity, Severity, Slug, Utc, Value

LONGEST_REASON = 500
SUITE = "soc-"
"""Slugs of findings about the suite itself begin so."""


class Score(Value):
    """How strange something is, from 0 (usual) to 1 (never seen), and why, in words."""

    value: Annotated[float, Field(ge=0, le=1)]
    reasons: tuple[str, ...]


class NotReady(Value):
    """No opinion yet, and why. It never means "usual"."""

    reason: str


class Match(Value):
    """One thing that made a rule fire: which selection, on which field, with which value."""

    selection: str
    field: str
    value: str


class Finding(Value):
    """One hit of one rule: what fired, on whom, in which bucket of event time, and why.

    entities: all that are named, ``entity`` included. facet: what else keeps findings of one rule
    about one entity apart, if anything. seqs: ``soc.seq`` of the events behind it.
    monitor: it may be looked at, but opens no incident's run and pages nobody.
    """

    rule: Slug
    rule_digest: str
    title: str
    severity: Severity
    entity: Entity
    entities: tuple[Entity, ...]
    facet: str = ""
    bucket: Utc
    first: Utc
    last: Utc
    count: Annotated[int, Field(ge=1)] = 1
    score: Score | None = None
    matched: tuple[Match, ...] = ()
    seqs: tuple[int, ...] = ()
    monitor: bool = False
    author: str = ""
    licence: str = ""


def about_suite(
    rule: str,
    title: str,
    entity: Entity,
    severity: Severity,
    bucket: datetime,
    now: datetime,
    *reasons: str,
    first: datetime | None = None,
) -> Finding:
    """Return what people must know about the suite itself; its rule is a slug ``soc-…``."""
    told = tuple(reason[:LONGEST_REASON] for reason in reasons)
    return Finding(
        rule=rule,
        rule_digest="",
        title=title,
        severity=severity,
        entity=entity,
        entities=(entity,),
        bucket=bucket,
        first=first or now,
        last=now,
        score=Score(value=1.0, reasons=told) if told else None,
    )
