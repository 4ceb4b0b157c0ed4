"""Keep when incidents rested: their clocks stand still then."""

from datetime import datetime

from sqlmodel import Session, col, select

from soc.store.tables import Incident, IncidentPause

WORKED = ("new", "in_progress")
"""The states in which clocks run."""


def note(session: Session, incident: Incident, now: datetime) -> None:
    """Begin or end a pause of *incident*, as its state is now."""
    assert incident.id is not None  # noqa: S101 - it was read from the store
    query = select(IncidentPause).where(
        col(IncidentPause.incident) == incident.id, col(IncidentPause.ended).is_(None)
    )
    pause = session.exec(query).first()
    rests = incident.state not in WORKED
    if pause is not None and not rests:
        pause.ended = now
    elif pause is None and rests:
        pause = session.get(IncidentPause, (incident.id, now))
        pause = pause or IncidentPause(incident=incident.id, began=now)
        pause.ended = None
    if pause is not None:
        session.add(pause)
