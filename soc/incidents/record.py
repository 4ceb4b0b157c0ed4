"""Put alerts that share an entity into one incident, and say why each is there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, and_, col, or_, select

from soc.incidents import alerts, storms, suppressions
from soc.incidents.alerts import AlertState, Evidence
from soc.incidents.lifecycle import INCIDENTS, OPEN
from soc.model.finding import SUITE, Finding
from soc.model.value import Entity, EntityKind, Severity
from soc.settings import Incidents
from soc.store.locks import alone
from soc.store.tables import Alert, Incident, IncidentEntity

OPENED = "opened this incident"
JOINING = frozenset({EntityKind.WALLET, EntityKind.ACCOUNT, EntityKind.IP})
"""Sharing a source joins only alerts of one rule: else all from there were one incident."""


@dataclass(frozen=True, slots=True)
class Change:
    """An incident that was opened, or gained an alert or entities, in this window."""

    incident: int
    opened: bool
    monitor: bool


def record(
    session: Session,
    findings: Iterable[Finding],
    events: Mapping[int, Evidence],
    now: datetime,
    settings: Incidents,
) -> tuple[Change, ...]:
    """Count *findings* into alerts and incidents; return which incidents changed.

    *events* are what stands behind the findings, by number: copied, so that they outlive the log.
    One transaction at a time changes incidents: two could open two for one wallet.
    """
    changes: dict[int, Change] = {}
    if not (found := list(findings)):
        return ()
    alone(session, INCIDENTS)
    quiet = suppressions.in_force(session, now)
    for finding, by in storms.together(found, quiet):
        is_hidden = quiet.hide(by)
        alert, added = alerts.count(session, finding, events, now, hidden=is_hidden)
        quiet.count(session, by, alert, finding.count, now)
        if is_hidden:
            continue
        incident, opened = _place(session, alert, finding, now, settings)
        if incident is None or not (added or opened):
            continue
        assert incident.id is not None  # noqa: S101 - flushed when placed
        known = changes.get(incident.id)
        opened = opened or bool(known and known.opened)
        changes[incident.id] = Change(incident.id, opened, incident.monitor)
    return tuple(changes[id_] for id_ in sorted(changes))


def _place(
    session: Session, alert: Alert, finding: Finding, now: datetime, settings: Incidents
) -> tuple[Incident | None, bool]:
    """Return the incident of *alert*, and whether it was opened for it."""
    entities = [finding.entity, *finding.entities]
    if alert.incident is not None:
        incident = session.get(Incident, alert.incident, with_for_update=True)
        _join(session, incident, alert, entities, now, alert.joined_by)
        return incident, False
    found = _sharing(session, finding, entities, now, settings)
    if found:
        incident, shared = found
        _join(session, incident, alert, entities, now, f"shares {shared} with this incident")
        return incident, False
    if finding.severity.severity_id < settings.open_from.severity_id:
        return None, False
    storm = storms.running(session, finding, now, settings)
    incident = session.get(Incident, storm, with_for_update=True) if storm else None
    if incident is not None:
        _join(session, incident, alert, entities, now, storms.why(finding, settings))
        return incident, False
    incident = _open(session, finding, now)
    is_storm = storms.note(session, incident, finding, now, settings)
    why = storms.why(finding, settings) if is_storm else OPENED
    _join(session, incident, alert, entities, now, why)
    return incident, True


def _sharing(
    session: Session, finding: Finding, entities: list[Entity], now: datetime, settings: Incidents
) -> tuple[Incident, str] | None:
    """Return the oldest open incident that names one of *entities*, and which one."""
    if finding.entity.kind is EntityKind.INCIDENT:
        number = int(finding.entity.value.removeprefix("INC-"))
        named = session.get(Incident, number, with_for_update=True)
        return (named, str(finding.entity)) if named else None
    # Shippers name the host in every event: it joins only what is about the host itself.
    about_host = {finding.entity} if finding.entity.kind is EntityKind.HOST else set()
    names = [str(one) for one in entities if one.kind in JOINING or one in about_host]
    same = and_(col(Alert.rule) == finding.rule, col(Alert.entity) == str(finding.entity))
    query = (
        select(Incident, IncidentEntity.entity)
        .join(IncidentEntity, col(IncidentEntity.incident) == col(Incident.id))
        .where(
            or_(
                col(IncidentEntity.entity).in_(names),
                and_(
                    col(IncidentEntity.entity) == str(finding.entity),
                    col(Incident.id).in_(select(Alert.incident).where(same)),
                ),
            ),
            col(Incident.state).in_(OPEN),
            col(Incident.monitor) == finding.monitor,
            col(Incident.operations) == finding.rule.startswith(SUITE),
            col(Incident.changed) > now - settings.join_within,
            col(Incident.id).not_in(storms.of_others(finding)),
        )
        .order_by(col(Incident.id), col(IncidentEntity.entity))
        .limit(1)
        .execution_options(populate_existing=True)
    )
    return session.exec(query).first()


def _open(session: Session, finding: Finding, now: datetime) -> Incident:
    incident = Incident(
        title=finding.title,
        severity=finding.severity,
        state="new",
        operations=finding.rule.startswith(SUITE),
        monitor=finding.monitor,
        first=finding.first,
        created=now,
        changed=now,
    )
    session.add(incident)
    session.flush()
    return incident


def _join(
    session: Session,
    incident: Incident | None,
    alert: Alert,
    entities: list[Entity],
    now: datetime,
    why: str,
) -> None:
    if incident is None:
        return
    assert incident.id is not None  # noqa: S101 - it was read or flushed
    alert.incident, alert.state, alert.joined_by = incident.id, AlertState.IN_INCIDENT, why
    worse = max(Severity(incident.severity), Severity(alert.severity), key=_rank)
    incident.severity, incident.changed = worse, now
    incident.first = min(incident.first, alert.first)
    if _tells_the_story(session, incident, alert):
        incident.title = alert.title
    known = select(IncidentEntity.entity).where(col(IncidentEntity.incident) == incident.id)
    added = {str(entity) for entity in entities}.difference(session.exec(known).all())
    rows = [IncidentEntity(incident=incident.id, entity=name, added=now) for name in sorted(added)]
    session.add_all(rows)
    session.flush()


def _tells_the_story(session: Session, incident: Incident, alert: Alert) -> bool:
    """Return whether *alert* is what opened the incident, or the same seen again later."""
    if alert.joined_by == OPENED:
        return True
    query = select(Alert.id).where(
        col(Alert.incident) == incident.id,
        col(Alert.joined_by) == OPENED,
        col(Alert.rule) == alert.rule,
        col(Alert.entity) == alert.entity,
    )
    return session.exec(query).first() is not None


def _rank(severity: Severity) -> int:
    return severity.severity_id
