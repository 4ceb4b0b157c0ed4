"""What people keep with an incident, as JSON values: notes, tasks, files, and what is alike."""

from collections.abc import Sequence
from typing import Any

from sqlmodel import Session, col, select

from soc.incidents import files, moves, observables, tasks
from soc.model.value import rfc3339
from soc.store.tables import (
    AlertMove,
    IncidentEntity,
    IncidentFile,
    IncidentNote,
    IncidentTask,
)
from soc.web.paging import newest

Plain = dict[str, Any]


def parts(session: Session, number: int, family: Sequence[int], most: int | None = None) -> Plain:
    """Return what is kept with an incident and its parts; of the notes the newest, if *most* is."""
    written = select(IncidentNote).where(col(IncidentNote.incident).in_(family))
    ignored = select(IncidentEntity.entity).where(
        col(IncidentEntity.incident) == number, col(IncidentEntity.ignored).is_(True)
    )
    return {
        "parts": [f"INC-{one}" for one in family if one != number],
        "notes": noted(newest(session, written, IncidentNote.id, most)),
        "tasks": [task(one) for one in tasks.tasks_of(session, family)],
        "files": [file(one) for one in files.files_of(session, family)],
        "moves": [move(one) for one in moves.moves_of(session, number)],
        "ignored": sorted(session.exec(ignored)),
        "similar": [similar(one) for one in observables.similar(session, number)],
    }


def noted(rows: Sequence[IncidentNote]) -> list[Plain]:
    """Return the newest version of each note, with the versions before it, oldest first."""
    known = {row.id: row for row in rows}
    replaced = {row.replaces for row in rows}
    return [_note(row, known) for row in rows if row.id not in replaced]


def _note(row: IncidentNote, known: dict[int | None, IncidentNote]) -> Plain:
    earlier: list[Plain] = []
    before = known.get(row.replaces) if row.replaces else None
    first = row
    while before is not None:
        earlier.insert(0, {"at": rfc3339(before.at), "text": before.text})
        first = before
        before = known.get(before.replaces) if before.replaces else None
    return {
        "id": row.id,
        "at": rfc3339(first.at),
        "author": row.author,
        "text": row.text,
        "edited": rfc3339(row.at) if row is not first else None,
        "earlier": earlier,
    }


def task(row: IncidentTask) -> Plain:
    """Return a task."""
    return {
        "id": row.id,
        "title": row.title,
        "state": row.state,
        "assignee": row.assignee,
        "due": rfc3339(row.due) if row.due else None,
        "created": rfc3339(row.created),
        "changed": rfc3339(row.changed),
        "by": row.by,
    }


def file(row: IncidentFile) -> Plain:
    """Return what is known of a file; its bytes are asked for by number."""
    return {
        "id": row.id,
        "incident": f"INC-{row.incident}",
        "name": row.name,
        "media_type": row.media_type,
        "size": row.size,
        "digest": row.digest,
        "at": rfc3339(row.at),
        "by": row.by,
    }


def move(row: AlertMove) -> Plain:
    """Return how an alert got another incident."""
    return {
        "act": row.act,
        "kind": row.kind,
        "alert": row.alert,
        "from": f"INC-{row.source}" if row.source else None,
        "to": f"INC-{row.target}" if row.target else None,
        "at": rfc3339(row.at),
        "by": row.by,
        "reason": row.reason,
        "undone": rfc3339(row.undone) if row.undone else None,
    }


def similar(found: observables.Similar) -> Plain:
    """Return another incident with what it shares and what it was."""
    row = found.incident
    return {
        "id": f"INC-{row.id}",
        "title": row.title,
        "severity": row.severity,
        "state": row.state,
        "verdict": row.verdict,
        "created": rfc3339(row.created),
        "entities": list(found.entities),
        "rules": list(found.rules),
    }
