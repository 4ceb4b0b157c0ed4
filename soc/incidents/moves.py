"""Merge, split and detach: alerts get another incident, and get back what they had if asked.

An alert is in one incident at a time and is never copied. What an act moved is written down in
``alert_move``; taking it back moves the same alerts where they were. What was done for a merged
incident, its runs, effects, questions and notes, stays its own and is shown with the one that it is
part of.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum

from sqlmodel import Session, col, or_, select

from soc.errors import Illegal, NotFound
from soc.incidents import lifecycle
from soc.incidents.alerts import AlertState
from soc.incidents.lifecycle import OPEN, IncidentState, Verdict
from soc.model.value import Severity, worse
from soc.store.tables import Alert, AlertEntity, AlertMove, Incident, IncidentEntity


class Kind(StrEnum):
    """How alerts got another incident.

    merge: all of one incident went to another. split: some got an incident of their own. detach:
    one belongs to none.
    """

    MERGE = "merge"
    SPLIT = "split"
    DETACH = "detach"


def merge(
    session: Session, source: int, target: int, reason: str, actor: str, now: datetime
) -> int:
    """Put all alerts of *source* into *target*, which it is part of from now on; return the act.

    Raises Illegal where either is over or they are one and the same.
    """
    swallowed, keeps = _open(session, source), _open(session, target)
    if source == target:
        raise Illegal(f"INC-{source} cannot be merged into itself")
    if (swallowed.operations, swallowed.monitor) != (keeps.operations, keeps.monitor):
        raise Illegal(f"INC-{source} and INC-{target} are of two kinds: see operations and monitor")
    alerts = lifecycle.alerts_of(session, source)
    if not alerts:
        raise Illegal(f"INC-{source} has no alerts: close it")
    act = _move(session, Kind.MERGE, alerts, target, reason, actor, now)
    parts = select(Incident).where(col(Incident.merged_into) == source)
    for part in [swallowed, *session.exec(parts)]:
        part.merged_into = target
    swallowed.state, swallowed.verdict = IncidentState.CLOSED, Verdict.DUPLICATE
    swallowed.verdict_note = f"part of INC-{target}"
    swallowed.resolved = swallowed.closed = swallowed.changed = now
    keeps.severity, keeps.changed = worse(keeps.severity, swallowed.severity), now
    keeps.first = min(keeps.first, swallowed.first)
    _take_entities(session, source, target, now)
    why = f"INC-{source} into INC-{target}: {reason}"
    lifecycle.told(session, swallowed, "incident.merge", actor, now, why)
    lifecycle.told(session, keeps, "incident.merge", actor, now, why)
    return act


def split(
    session: Session, number: int, chosen: Iterable[int], reason: str, actor: str, now: datetime
) -> int:
    """Put the *chosen* alerts of an incident into a new one; return its number."""
    incident = _open(session, number)
    alerts = lifecycle.alerts_of(session, number)
    going = _chosen(alerts, chosen, number)
    if len(going) == len(alerts):
        raise Illegal(f"these are all alerts of INC-{number}: nothing would be left of it")
    worst = max(going, key=lambda one: (Severity(one.severity).severity_id, -(one.id or 0)))
    new = Incident(
        title=worst.title,
        severity=worst.severity,
        state=IncidentState.NEW,
        operations=incident.operations,
        monitor=incident.monitor,
        tlp=incident.tlp,
        pap=incident.pap,
        first=min(alert.first for alert in going),
        created=now,
        changed=now,
    )
    session.add(new)
    session.flush()
    assert new.id is not None  # noqa: S101 - it was flushed
    _move(session, Kind.SPLIT, going, new.id, reason, actor, now)
    _recount(session, incident, now)
    _recount(session, new, now)
    for one in (incident, new):
        why = f"{len(going)} alerts of INC-{number} became INC-{new.id}: {reason}"
        lifecycle.told(session, one, "incident.split", actor, now, why)
    return new.id


def detach(
    session: Session, number: int, alert: int, reason: str, actor: str, now: datetime
) -> int:
    """Take one alert out of an incident; it belongs to none until it is found again."""
    incident = _open(session, number)
    going = _chosen(lifecycle.alerts_of(session, number), [alert], number)
    act = _move(session, Kind.DETACH, going, None, reason, actor, now)
    _recount(session, incident, now)
    lifecycle.told(session, incident, "incident.detach", actor, now, f"ALR-{alert}: {reason}")
    return act


def undo(session: Session, act: int, actor: str, now: datetime) -> int:
    """Put the alerts of a merge, split or detach back; return the incident they came from."""
    lifecycle.alone_with_incidents(session)
    moves = session.exec(select(AlertMove).where(col(AlertMove.act) == act)).all()
    if not moves:
        raise NotFound("move", str(act))
    first = moves[0]
    assert first.source is not None  # noqa: S101 - every move has one
    source = lifecycle.held(session, first.source)
    if first.undone:
        raise Illegal("this was taken back before")
    _require_unmoved(session, moves)
    if first.kind == Kind.MERGE:
        _part(session, source, first.target, now)
    elif source.state not in OPEN:
        raise Illegal(f"INC-{source.id} is {source.state}: reopen it first")
    for move in moves:
        alert = session.get_one(Alert, move.alert)
        alert.incident, alert.joined_by, alert.changed = move.source, move.joined_by, now
        alert.state, move.undone = AlertState.IN_INCIDENT, now
    session.flush()
    _recount(session, source, now)
    lifecycle.told(session, source, f"incident.undo_{first.kind}", actor, now)
    if first.target is not None:
        target = session.get_one(Incident, first.target)
        _recount(session, target, now)
        if first.kind == Kind.SPLIT and not lifecycle.alerts_of(session, first.target):
            target.state, target.verdict = IncidentState.CLOSED, Verdict.DUPLICATE
            target.verdict_note, target.merged_into = f"part of INC-{source.id}", source.id
            target.resolved = target.closed = now
        lifecycle.told(session, target, f"incident.undo_{first.kind}", actor, now)
    return first.source


def moves_of(session: Session, number: int) -> Sequence[AlertMove]:
    """Return what was moved out of or into an incident, in the order it happened."""
    at = or_(col(AlertMove.source) == number, col(AlertMove.target) == number)
    return session.exec(select(AlertMove).where(at).order_by(col(AlertMove.id))).all()


def _move(
    session: Session,
    kind: Kind,
    alerts: Sequence[Alert],
    target: int | None,
    reason: str,
    actor: str,
    now: datetime,
) -> int:
    if not reason.strip():
        raise Illegal(f"a reason is needed to {kind}: say it in one line")
    moved = [
        AlertMove(
            kind=kind,
            alert=alert.id or 0,
            source=alert.incident,
            target=target,
            joined_by=alert.joined_by,
            at=now,
            by=actor,
            reason=reason.strip(),
        )
        for alert in alerts
    ]
    session.add_all(moved)
    session.flush()
    for alert, move in zip(alerts, moved, strict=True):
        move.act = moved[0].id
        alert.joined_by = f"{kind} by {actor}: {reason.strip()}" if target else ""
        alert.incident, alert.changed = target, now
        alert.state = AlertState.IN_INCIDENT if target else AlertState.NEW
    session.flush()
    return moved[0].id or 0


def _part(session: Session, source: Incident, target: int | None, now: datetime) -> None:
    """Make a merged incident one of its own again, with what was part of it."""
    if source.merged_into != target:
        raise Illegal(f"INC-{source.id} is part of INC-{source.merged_into} now: take that back")
    source.merged_into = source.closed = source.resolved = None
    source.verdict = source.verdict_note = None
    source.state = IncidentState.IN_PROGRESS if source.owner else IncidentState.NEW
    source.changed = now
    swallowed = select(AlertMove.source).where(
        col(AlertMove.target) == source.id,
        col(AlertMove.kind) == Kind.MERGE,
        col(AlertMove.undone).is_(None),
    )
    parts = select(Incident).where(
        col(Incident.merged_into) == target, col(Incident.id).in_(swallowed)
    )
    for part in session.exec(parts):
        part.merged_into = source.id


def _require_unmoved(session: Session, moves: Sequence[AlertMove]) -> None:
    for move in moves:
        alert = session.get_one(Alert, move.alert)
        if alert.incident != move.target:
            where = f"in INC-{alert.incident}" if alert.incident else "in no incident"
            raise Illegal(f"ALR-{alert.id} is {where} now: take that back first")


def _open(session: Session, number: int) -> Incident:
    incident = lifecycle.held(session, number)
    if incident.state not in OPEN:
        raise Illegal(f"INC-{number} is {incident.state}: reopen it first")
    return incident


def _chosen(alerts: Sequence[Alert], chosen: Iterable[int], number: int) -> list[Alert]:
    wanted = set(chosen)
    going = [alert for alert in alerts if alert.id in wanted]
    if missing := sorted(wanted - {alert.id for alert in going}):
        raise NotFound(f"alert of INC-{number}", ", ".join(map(str, missing)))
    if not going:
        raise Illegal("no alert is named: name those that go")
    return going


def _take_entities(session: Session, source: int, target: int, now: datetime) -> None:
    """Name in *target* whoever is named in *source*, ignored where it was."""
    there = set(lifecycle.entities_of(session, target))
    named = select(IncidentEntity).where(col(IncidentEntity.incident) == source)
    for row in session.exec(named).all():
        if row.entity not in there:
            moved = IncidentEntity(incident=target, entity=row.entity, added=now)
            moved.by, moved.ignored = row.by, row.ignored
            session.add(moved)
    session.flush()


def _recount(session: Session, incident: Incident, now: datetime) -> None:
    """Name whoever the alerts of *incident* name, and whom people named; begin where they do."""
    assert incident.id is not None  # noqa: S101 - it was read
    alerts = lifecycle.alerts_of(session, incident.id)
    query = (
        select(AlertEntity.entity)
        .join(Alert, col(Alert.id) == col(AlertEntity.alert))
        .where(col(Alert.incident) == incident.id)
    )
    named = set(session.exec(query))
    rows = session.exec(
        select(IncidentEntity).where(col(IncidentEntity.incident) == incident.id)
    ).all()
    for row in rows:
        if row.entity not in named and row.by == "soc":
            session.delete(row)
    missing = named.difference(row.entity for row in rows)
    session.add_all(
        IncidentEntity(incident=incident.id, entity=name, added=now) for name in sorted(missing)
    )
    if alerts:
        incident.first = min(alert.first for alert in alerts)
    incident.changed = now
    session.add(incident)
    session.flush()
