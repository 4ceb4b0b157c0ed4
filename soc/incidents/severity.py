"""Severity from facts: what rules say, how sure models are, who is named, and what would move.

Facts only raise it, and what a person said stands.
"""

from collections.abc import Mapping
from datetime import datetime

import orjson
from sqlmodel import Session, col, func, or_, select

from soc.incidents.lifecycle import OPEN, entities_of, held, told
from soc.model.value import Severity
from soc.store.indicators import labels_of
from soc.store.tables import Alert, AuditRow, EntityLabel

Roles = Mapping[str, Severity]
"""How severe an incident is at least that names somebody with a label."""
MOST = 20


def raise_to(session: Session, number: int, least: Severity, why: str, now: datetime) -> bool:
    """Make an open incident at least so severe, unless a person rated it; return whether it did."""
    incident = held(session, number)
    before = Severity(incident.severity)
    if incident.state not in OPEN or least.severity_id <= before.severity_id:
        return False
    if is_rated(session, number):
        return False
    incident.severity, incident.changed = least, now
    told(session, incident, "incident.rate", "soc", now, f"{why}: {before} became {least}")
    return True


def raise_by_roles(session: Session, number: int, roles: Roles, now: datetime) -> bool:
    """Make an incident as severe as the roles of whom it names ask; return whether it did."""
    if not roles:
        return False
    found = [
        (roles[role], entity, role)
        for entity, labels in _labels(session, number, now).items()
        for label in labels
        for role in {label, *label.split(": ", 1)}
        if role in roles
    ]
    if not found:
        return False
    least, entity, role = max(found, key=lambda one: (one[0].severity_id, one[1:]))
    return raise_to(session, number, least, f"{entity} is {role}", now)


def facts(session: Session, number: int) -> list[str]:
    """Return why an incident is as severe as it is: each fact is a sentence without its end."""
    rules = (
        select(Alert.rule, Alert.severity, func.count(), func.max(Alert.score))
        .where(col(Alert.incident) == number)
        .group_by(col(Alert.rule), col(Alert.severity))
    )
    said = sorted(
        session.exec(rules), key=lambda one: (-Severity(one[1]).severity_id, -one[2], one[0])
    )
    acts = select(AuditRow.record).where(
        col(AuditRow.object) == f"incident:{number}", col(AuditRow.action) == "incident.rate"
    )
    rated = [orjson.loads(text) for text in session.exec(acts.order_by(col(AuditRow.id)))]
    return [
        *(_of_rule(*one) for one in said[:MOST]),
        *(f"{act['reason']}, said {act['actor']}" for act in rated[-MOST:]),
    ]


def is_rated(session: Session, number: int) -> bool:
    """Return whether a person has said how severe an incident is: that stands."""
    rated = (col(AuditRow.action) == "incident.rate", col(AuditRow.object) == f"incident:{number}")
    unasked = or_(col(AuditRow.actor) == "soc", col(AuditRow.actor).startswith("playbook:"))
    return session.exec(select(AuditRow.id).where(*rated, ~unasked).limit(1)).first() is not None


def _of_rule(rule: str, severity: str, alerts: int, score: float | None) -> str:
    sure = f", sure to {score:.2f} of 1" if score is not None else ""
    often = f", in {alerts:,} alerts" if alerts > 1 else ""
    return f"{rule} says {severity}{often}{sure}"


def _labels(session: Session, number: int, now: datetime) -> dict[str, list[str]]:
    names = entities_of(session, number)
    given = select(EntityLabel.entity, EntityLabel.label).where(col(EntityLabel.entity).in_(names))
    found = {entity: list(labels) for entity, labels in labels_of(session, names, now).items()}
    for entity, label in session.exec(given):
        found.setdefault(entity, []).append(label)
    return found
