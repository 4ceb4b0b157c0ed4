"""What may become of an incident, and who may say so."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from sqlmodel import Session, col, select, update

from soc.audit import Act, record
from soc.errors import Illegal, NotFound
from soc.incidents import pauses
from soc.incidents.alerts import AlertState
from soc.model.value import Severity
from soc.store.locks import alone
from soc.store.tables import Alert, Incident, IncidentEntity


class IncidentState(StrEnum):
    """Where an incident is.

    new: nobody works it. in_progress: somebody does. on_hold: it waits for something outside.
    resolved: nothing is left to do but the verdict's review. closed: decided, with a verdict.
    """

    NEW = "new"
    IN_PROGRESS = "in_progress"
    ON_HOLD = "on_hold"
    RESOLVED = "resolved"
    CLOSED = "closed"


class Verdict(StrEnum):
    """What an incident was, decided by a person when it is closed.

    true_positive: it happened. benign_positive: it happened and was allowed. false_positive: it
    did not. duplicate: another incident has it. test: we did it. insufficient_data: cannot tell.
    """

    TRUE_POSITIVE = "true_positive"
    BENIGN_POSITIVE = "benign_positive"
    FALSE_POSITIVE = "false_positive"
    DUPLICATE = "duplicate"
    TEST = "test"
    INSUFFICIENT_DATA = "insufficient_data"


CLEARED = (Verdict.FALSE_POSITIVE, Verdict.BENIGN_POSITIVE, Verdict.TEST, Verdict.DUPLICATE)
"""Verdicts after which nobody who is named is suspected."""


LONGEST_NUMBER = 15
INCIDENTS = "incidents"
"""The lock of whoever changes incidents and their alerts."""
S = IncidentState
OPEN = (S.NEW, S.IN_PROGRESS, S.ON_HOLD)
NEXT = MappingProxyType(
    {
        S.NEW: frozenset({S.IN_PROGRESS, S.ON_HOLD, S.RESOLVED, S.CLOSED}),
        S.IN_PROGRESS: frozenset({S.ON_HOLD, S.RESOLVED, S.CLOSED}),
        S.ON_HOLD: frozenset({S.IN_PROGRESS, S.RESOLVED, S.CLOSED}),
        S.RESOLVED: frozenset({S.IN_PROGRESS, S.CLOSED}),
        S.CLOSED: frozenset(),
    }
)


def is_person(actor: str) -> bool:
    """Return whether *actor* is no playbook and not the suite itself."""
    return actor.startswith(("user:", "os:", "token:"))


def number_of(text: str) -> int:
    """Return the number in ``INC-12`` or ``12``; raises NotFound for anything else."""
    digits = text.upper().removeprefix("INC-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > LONGEST_NUMBER:
        raise NotFound("incident", text)
    return int(digits)


def acknowledge(session: Session, number: int, actor: str, now: datetime) -> None:
    """Keep when a person first acted on an incident."""
    if is_person(actor):
        first = col(Incident.id) == number, col(Incident.acknowledged).is_(None)
        session.execute(update(Incident).where(*first).values(acknowledged=now))


def get(session: Session, number: int) -> Incident:
    """Return an incident; raises NotFound."""
    incident = session.get(Incident, number)
    if incident is None:
        raise NotFound("incident", f"INC-{number}")
    return incident


def move(session: Session, number: int, state: IncidentState, actor: str, now: datetime) -> None:
    """Put an incident into *state*; raises Illegal where the life cycle has no such step."""
    if state is IncidentState.CLOSED:
        raise Illegal("close an incident with a verdict and a note")
    incident = held(session, number)
    _step(incident, state, now)
    _acknowledge(incident, actor, now)
    # A resolved incident takes no further alerts: the same finding again is a new one.
    settled = state is IncidentState.RESOLVED
    incident.resolved = now if settled else None
    _settle(session, number, AlertState.CLOSED if settled else AlertState.IN_INCIDENT, now)
    told(session, incident, f"incident.{state}", actor, now)


def reopen(session: Session, number: int, reason: str, actor: str, now: datetime) -> None:
    """Take up an incident that came to rest; its verdict stays in the audit log only."""
    if not reason.strip():
        raise Illegal("a reason is needed: say in one line why it is not over")
    incident = held(session, number)
    if incident.merged_into:
        raise Illegal(f"INC-{number} is part of INC-{incident.merged_into}: take the merge back")
    if incident.state in OPEN:
        raise Illegal(f"INC-{number} is {incident.state}: it is open")
    incident.state, incident.changed = IncidentState.IN_PROGRESS, now
    incident.resolved = incident.closed = incident.verdict = incident.verdict_note = None
    incident.reopened += 1
    _settle(session, number, AlertState.IN_INCIDENT, now)
    told(session, incident, "incident.reopen", actor, now, reason.strip())


def assign(session: Session, number: int, owner: str, actor: str, now: datetime) -> None:
    """Give an incident to *owner*, who then works it."""
    incident = held(session, number)
    if incident.state not in OPEN:
        raise Illegal(f"INC-{number} is {incident.state}: reopen it first")
    incident.owner, incident.changed = owner, now
    _acknowledge(incident, actor, now)
    if incident.state == IncidentState.NEW:
        incident.state = IncidentState.IN_PROGRESS
    told(session, incident, "incident.assign", actor, now, owner)


def rate(session: Session, number: int, severity: Severity, actor: str, now: datetime) -> None:
    """Say how bad an open incident is if it is true."""
    incident = held(session, number)
    if incident.state not in OPEN:
        raise Illegal(f"INC-{number} is {incident.state}: reopen it first")
    if incident.severity == severity:
        return
    before, incident.severity, incident.changed = incident.severity, severity, now
    _acknowledge(incident, actor, now)
    told(session, incident, "incident.rate", actor, now, f"{before} became {severity}")


def escalate(session: Session, number: int, actor: str, now: datetime) -> None:
    """Make an incident one step worse; raises Illegal for a critical one."""
    steps = list(Severity)
    here = steps.index(Severity(get(session, number).severity))
    if here + 1 == len(steps):
        raise Illegal(f"INC-{number} is critical: there is nothing above it")
    rate(session, number, steps[here + 1], actor, now)


def close(
    session: Session, number: int, verdict: str, note: str, actor: str, now: datetime
) -> None:
    """Close an incident and its alerts; raises Illegal without a known verdict and a note."""
    if verdict not in set(Verdict):
        raise Illegal(f"a verdict is needed: {', '.join(Verdict)}")
    if not note.strip():
        raise Illegal("a note is needed: say in one line what happened")
    incident = held(session, number)
    _step(incident, IncidentState.CLOSED, now)
    _acknowledge(incident, actor, now)
    incident.verdict, incident.verdict_note, incident.closed = verdict, note.strip(), now
    incident.resolved = incident.resolved or now
    _settle(session, number, AlertState.CLOSED, now)
    told(session, incident, "incident.close", actor, now, f"{verdict}: {note.strip()}")


def alerts_of(session: Session, number: int, most: int | None = None) -> Sequence[Alert]:
    """Return the alerts of an incident, oldest first, at most so many."""
    query = select(Alert).where(col(Alert.incident) == number).order_by(col(Alert.id))
    query = query.limit(most) if most is not None else query
    return session.exec(query.execution_options(populate_existing=True)).all()


def entities_of(session: Session, number: int) -> list[str]:
    """Return who is named in an incident."""
    found = select(IncidentEntity.entity).where(col(IncidentEntity.incident) == number)
    return sorted(session.exec(found))


def _settle(session: Session, number: int, state: AlertState, now: datetime) -> None:
    for alert in alerts_of(session, number):
        alert.state, alert.changed = state, now


def _acknowledge(incident: Incident, actor: str, now: datetime) -> None:
    if is_person(actor):
        incident.acknowledged = incident.acknowledged or now


def family(session: Session, number: int) -> list[int]:
    """Return an incident and those that are part of it."""
    parts = select(Incident.id).where(col(Incident.merged_into) == number)
    return [number, *(one for one in session.exec(parts.order_by(col(Incident.id))) if one)]


def root(session: Session, number: int) -> int:
    """Return the incident that *number* is part of, or itself."""
    return get(session, number).merged_into or number


def alone_with_incidents(session: Session) -> None:
    """Wait until nobody else changes incidents and their alerts."""
    alone(session, INCIDENTS)


def held(session: Session, number: int) -> Incident:
    """Return an incident that nobody else changes meanwhile, as it is now; raises NotFound."""
    alone(session, INCIDENTS)
    incident = session.get(Incident, number, with_for_update=True)
    if incident is None:
        raise NotFound("incident", f"INC-{number}")
    return incident


def _step(incident: Incident, state: IncidentState, now: datetime) -> None:
    allowed = NEXT[IncidentState(incident.state)]
    if state not in allowed:
        ways = ", ".join(sorted(allowed)) or "nothing but reopened, with a reason"
        raise Illegal(f"INC-{incident.id} is {incident.state} and may become {ways}")
    incident.state, incident.changed = state, now


def told(
    session: Session, incident: Incident, action: str, actor: str, now: datetime, why: str = ""
) -> None:
    """Write an act on *incident* into the audit log."""
    session.add(incident)
    pauses.note(session, incident, now)
    record(
        session,
        Act(at=now, actor=actor, action=action, object=f"incident:{incident.id}", reason=why),
    )
