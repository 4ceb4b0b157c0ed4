"""Look at suppressions again each month: one may hide what happens, or nothing at all."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlmodel import Session, col, or_, select

from soc.incidents.lifecycle import INCIDENTS, Verdict
from soc.incidents.scope import Scope
from soc.incidents.suppressions import scope_in
from soc.model.finding import Finding, about_suite
from soc.model.value import Entity, EntityKind, Severity, bucket_of
from soc.store.locks import alone
from soc.store.tables import Alert, AlertEntity, Incident, Suppression, SuppressionHit

MONTH = timedelta(days=30)
NOTICE = timedelta(days=7)
NAMED = 5


def review(session: Session, now: datetime) -> list[Finding]:
    """Return what the owners of suppressions must know now; each is told once.

    Once in 30 days: that what one hides happened elsewhere, or that it hid nothing. Once: that it
    ends within a week, or within the last quarter of its time if that is shorter.
    """
    alone(session, INCIDENTS)
    query = select(Suppression).where(
        col(Suppression.ended).is_(None), col(Suppression.until) > now
    )
    fresh = query.order_by(col(Suppression.id)).execution_options(populate_existing=True)
    found: list[Finding] = []
    for row in session.exec(fresh).all():
        if (row.reviewed or row.created) <= now - MONTH:
            row.reviewed = now
            found += _doubts(session, row, now)
        if row.warned is None and row.until - now <= min(NOTICE, (row.until - row.created) / 4):
            row.warned = now
            told = f"it ends {row.until:%Y-%m-%d %H:%M} UTC: findings open alerts again then"
            found.append(_finding("soc-suppression-ending", row, "ends soon", told, now))
        session.add(row)
    return found


def _doubts(session: Session, row: Suppression, now: datetime) -> Iterator[Finding]:
    if row.last_hit is None or row.last_hit <= now - MONTH:
        last = f"last hit {row.last_hit:%Y-%m-%d} UTC" if row.last_hit else "it never hit anything"
        yield _finding("soc-suppression-idle", row, "hid nothing for 30 days", last, now)
        return
    if right := _happened(session, row, scope_in(row)):
        named = ", ".join(f"INC-{number}" for number in right[:NAMED])
        told = f"what it hides was found to have happened elsewhere: {named}"
        yield _finding("soc-suppression-doubtful", row, "may hide what happens", told, now)


def _happened(session: Session, row: Suppression, scope: Scope) -> list[int]:
    """Return incidents that were found true since *row* began, and share what it hid with it."""
    hidden = select(SuppressionHit.alert).where(col(SuppressionHit.suppression) == row.id)
    same_rule = col(Alert.rule).in_(select(Alert.rule).where(col(Alert.id).in_(hidden)))
    names = select(Alert.entity).where(col(Alert.id).in_(hidden))
    named = select(AlertEntity.alert).where(col(AlertEntity.entity).in_(names))
    shares = col(Alert.id).in_(named)
    query = (
        select(Incident.id)
        .join(Alert, col(Alert.incident) == col(Incident.id))
        .where(
            col(Incident.verdict) == Verdict.TRUE_POSITIVE,
            col(Incident.closed) > row.created,
            # Whoever hides one entity of a rule knows that the rule is right about others.
            or_(same_rule, shares) if scope.entity is None else shares,
        )
        .distinct()
        .order_by(col(Incident.id))
    )
    return [number for number in session.exec(query) if number is not None]


def _finding(rule: str, row: Suppression, what: str, told: str, now: datetime) -> Finding:
    entity = Entity(kind=EntityKind.SOURCE, value=f"suppression {row.id}")
    title = f"SUP-{row.id} {what}: {row.owner.removeprefix('user:')} looks at it again"
    about = f"{scope_in(row).words}: {row.reason}"
    bucket = bucket_of(now, MONTH)
    return about_suite(rule, title, entity, Severity.MEDIUM, bucket, now, told, about)
