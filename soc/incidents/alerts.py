"""Findings with one key become one alert that counts them."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import orjson
from sqlmodel import Session, and_, col, or_, select

from soc.model.finding import Finding
from soc.model.value import rfc3339, worse
from soc.store.tables import Alert, AlertEntity, AlertEvent

FIRST_EVENTS = 20
LAST_EVENTS = 5
AT_ONCE = 500
"""Alerts that one question to the store names."""


class AlertState(StrEnum):
    """Where an alert is.

    new, acknowledged: nobody works it, somebody saw it. in_incident: worked there. suppressed:
    hidden by a person's decision. closed: decided. retracted: its events were taken back.
    """

    NEW = "new"
    ACKNOWLEDGED = "acknowledged"
    IN_INCIDENT = "in_incident"
    SUPPRESSED = "suppressed"
    CLOSED = "closed"
    RETRACTED = "retracted"


class Evidence(NamedTuple):
    """One event as it was stored."""

    seq: int
    ts: datetime
    source: str
    raw: str


class Counted(NamedTuple):
    """An alert after a finding, whom it names, and whom of them it did not name before."""

    alert: Alert
    names: frozenset[str]
    added: frozenset[str]


def key_of(finding: Finding) -> str:
    """Return the key of the alert that *finding* belongs to: never made of numbers of events."""
    watched = "monitor" if finding.monitor else "active"
    parts = [finding.rule, str(finding.entity), rfc3339(finding.bucket), watched]
    parts += [finding.facet] if finding.facet else []
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def count(
    session: Session,
    finding: Finding,
    events: Mapping[int, Evidence],
    now: datetime,
    *,
    hidden: bool = False,
) -> Counted:
    """Put *finding* into its alert, making it if need be, with copies of its events.

    hidden: a suppression hides it. What is hidden and what is not are never one alert.
    """
    key = key_of(finding)
    # All that begins with the key and a slash, in a way that an index answers.
    again = and_(col(Alert.key) > f"{key}/", col(Alert.key) < f"{key}0")
    query = select(Alert).where(or_(col(Alert.key) == key, again)).order_by(col(Alert.id).desc())
    # As it is behind the lock, whatever this transaction read before it.
    earlier = session.exec(query.execution_options(populate_existing=True)).all()
    alike = (one for one in earlier if (one.state == AlertState.SUPPRESSED) is hidden)
    alert = next(alike, None)
    if alert and alert.state == AlertState.CLOSED:
        # What was decided stays decided: the same thing again is a new alert.
        alert = None
    if earlier and alert is None:
        key = f"{key}/{len(earlier) + 1}"
    alert = _merge(alert, finding, now) if alert else _new(key, finding, now)
    if hidden:
        alert.state = AlertState.SUPPRESSED
    session.add(alert)
    session.flush()
    _copy(session, alert, [events[seq] for seq in finding.seqs if seq in events])
    return Counted(alert, *_name(session, alert, finding))


def events_of(session: Session, alert: int) -> Sequence[AlertEvent]:
    """Return the copied events of an alert, by number."""
    found = select(AlertEvent).where(col(AlertEvent.alert) == alert).order_by(col(AlertEvent.seq))
    return session.exec(found).all()


def events_of_all(session: Session, alerts: Collection[int]) -> dict[int, list[AlertEvent]]:
    """Return the copied events of several alerts, by number."""
    found = select(AlertEvent).where(col(AlertEvent.alert).in_(alerts))
    kept: dict[int, list[AlertEvent]] = {}
    for event in session.exec(found.order_by(col(AlertEvent.alert), col(AlertEvent.seq))):
        kept.setdefault(event.alert, []).append(event)
    return kept


def entities_of(session: Session, alert: int) -> list[str]:
    """Return who is named in an alert."""
    found = select(AlertEntity.entity).where(col(AlertEntity.alert) == alert)
    return sorted(session.exec(found))


def entities_of_all(session: Session, numbers: Sequence[int]) -> list[str]:
    """Return who is named in any of the alerts *numbers*."""
    found: set[str] = set()
    for begin in range(0, len(numbers), AT_ONCE):
        some = col(AlertEntity.alert).in_(numbers[begin : begin + AT_ONCE])
        found.update(session.exec(select(AlertEntity.entity).where(some)))
    return sorted(found)


def _new(key: str, finding: Finding, now: datetime) -> Alert:
    return Alert(
        key=key,
        rule=finding.rule,
        rule_digest=finding.rule_digest,
        title=finding.title,
        severity=finding.severity,
        entity=str(finding.entity),
        bucket=finding.bucket,
        first=finding.first,
        last=finding.last,
        count=finding.count,
        state=AlertState.NEW,
        monitor=finding.monitor,
        matched_json=_matched(finding),
        score=finding.score.value if finding.score else None,
        reasons_json=_reasons(finding),
        author=finding.author,
        licence=finding.licence,
        created=now,
        changed=now,
    )


def _merge(alert: Alert, finding: Finding, now: datetime) -> Alert:
    alert.count += finding.count
    alert.first = min(alert.first, finding.first)
    alert.last = max(alert.last, finding.last)
    alert.title = finding.title
    alert.severity = worse(alert.severity, finding.severity)
    alert.changed = now
    if finding.score and finding.score.value >= (alert.score or 0):
        alert.score, alert.reasons_json = finding.score.value, _reasons(finding)
    return alert


def _copy(session: Session, alert: Alert, found: Sequence[Evidence]) -> None:
    """Keep the first events for ever and the last few as they move on."""
    assert alert.id is not None  # noqa: S101 - flushed by the caller
    kept = {event.seq: event for event in events_of(session, alert.id)}
    for event in found:
        if event.seq not in kept:
            digest = "sha256:" + hashlib.sha256(event.raw.encode()).hexdigest()
            row = AlertEvent(alert=alert.id, digest=digest, **event._asdict())
            kept[event.seq] = row
            session.add(row)
    middle = sorted(kept)[FIRST_EVENTS:-LAST_EVENTS]
    session.flush()
    for seq in middle:
        session.delete(kept[seq])


def _name(
    session: Session, alert: Alert, finding: Finding
) -> tuple[frozenset[str], frozenset[str]]:
    """Return whom *alert* names now, and whom of them it did not name before."""
    assert alert.id is not None  # noqa: S101 - flushed by the caller
    known = frozenset(entities_of(session, alert.id))
    added = {str(entity) for entity in (finding.entity, *finding.entities)} - known
    session.add_all(AlertEntity(alert=alert.id, entity=entity) for entity in sorted(added))
    return known | added, frozenset(added)


def _matched(finding: Finding) -> str:
    return orjson.dumps([match.model_dump() for match in finding.matched]).decode()


def _reasons(finding: Finding) -> str:
    return orjson.dumps(finding.score.reasons if finding.score else []).decode()
