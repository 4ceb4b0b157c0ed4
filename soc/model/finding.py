"""What detectors say: a finding, a score, or that they cannot tell yet."""

from typing import Annotated

from pydantic import Field

from soc.model.value import Entity, Severity, Slug, Utc, Value


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

    entities: all that are named, ``entity`` included. seqs: ``soc.seq`` of the events behind it.
    monitor: it may be looked at, but opens no incident's run and pages nobody.
    """

    rule: Slug
    rule_digest: str
    title: str
    severity: Severity
    entity: Entity
    entities: tuple[Entity, ...]
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
