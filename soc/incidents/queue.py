"""The queue: incidents, the worst first and of these the newest, found without sorting them all."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, select

from soc.model.value import Severity
from soc.store.tables import Incident

Wanted = Sequence[ColumnElement[bool]]
MOST_FOUND = 10_000
"""Incidents that a search for words finds at most: more say that the words are too few."""


def listed(session: Session, wanted: Wanted, begin: int, size: int) -> tuple[list[Incident], int]:
    """Return *size* incidents fit by *wanted*, from place *begin* on, and how many there are."""
    counted = select(Incident.severity, func.count()).where(*wanted)
    counts = dict(session.exec(counted.group_by(col(Incident.severity))).all())
    rows: list[Incident] = []
    for severity in reversed(Severity):
        there = counts.get(severity, 0)
        if begin < there and len(rows) < size:
            found = select(Incident).where(*wanted, col(Incident.severity) == severity)
            found = found.order_by(col(Incident.id).desc()).offset(begin)
            rows += session.exec(found.limit(size - len(rows)))
        begin = max(0, begin - there)
    return rows, sum(counts.values())


def searched(session: Session, wanted: Wanted, begin: int, size: int) -> tuple[list[Incident], int]:
    """Return the same for conditions that no index answers: every incident is looked at once."""
    query = select(Incident.id, Incident.severity).where(*wanted).limit(MOST_FOUND)
    found = [
        (Severity(severity).severity_id, number or 0) for number, severity in session.exec(query)
    ]
    chosen = [number for _, number in sorted(found, reverse=True)[begin : begin + size]]
    rows = session.exec(select(Incident).where(col(Incident.id).in_(chosen))).all()
    return sorted(rows, key=lambda row: chosen.index(row.id or 0)), len(found)
