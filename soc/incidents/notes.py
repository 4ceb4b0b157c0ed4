"""What people and playbooks write on incidents: a note is never changed, only replaced."""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from soc.errors import Illegal, NotFound
from soc.incidents import lifecycle
from soc.store.tables import IncidentNote


def annotate(
    session: Session, number: int, text: str, actor: str, now: datetime, key: str | None = None
) -> None:
    """Write a note on an incident; a second one with the same *key* changes nothing."""
    incident = lifecycle.held(session, number)
    written = _said(text)
    if key and session.exec(select(IncidentNote).where(col(IncidentNote.key) == key)).first():
        return
    session.add(IncidentNote(incident=number, at=now, author=actor, text=written, key=key))
    lifecycle.acknowledge(session, number, actor, now)
    lifecycle.told(session, incident, "incident.note", actor, now)


def replace(session: Session, number: int, note: int, text: str, actor: str, now: datetime) -> None:
    """Write a new version of one's own note; raises Illegal for another's or an old version."""
    incident = lifecycle.held(session, number)
    row = session.get(IncidentNote, note)
    if row is None or row.incident != number:
        raise NotFound("note", str(note))
    if row.author != actor:
        raise Illegal(f"{row.author} wrote this note: write one of your own")
    if session.exec(select(IncidentNote.id).where(col(IncidentNote.replaces) == note)).first():
        raise Illegal("there is a newer version of this note: change that one")
    session.add(
        IncidentNote(incident=number, at=now, author=actor, text=_said(text), replaces=note)
    )
    lifecycle.told(session, incident, "incident.note", actor, now, f"replaces note {note}")


def notes_of(session: Session, numbers: Sequence[int]) -> Sequence[IncidentNote]:
    """Return every version of every note on incidents, in the order they were written."""
    query = select(IncidentNote).where(col(IncidentNote.incident).in_(numbers))
    return session.exec(query.order_by(col(IncidentNote.id))).all()


def _said(text: str) -> str:
    if not text.strip():
        raise Illegal("an empty note says nothing: write a line")
    return text.strip()
