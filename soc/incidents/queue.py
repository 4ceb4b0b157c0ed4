"""The queue: incidents, the worst first and of these the newest, found without sorting them all."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, select

from soc.model.value import Severity
from soc.store.tables import Incident

Wanted = Sequence[ColumnElement[bool]]


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


def newest(session: Session, wanted: Wanted, begin: int, size: int) -> tuple[list[Incident], int]:
    """Return the same with the newest first, however bad: for what is over."""
    found = select(Incident).where(*wanted).order_by(col(Incident.id).desc())
    rows = session.exec(found.offset(begin).limit(size)).all()
    return list(rows), session.exec(select(func.count(col(Incident.id))).where(*wanted)).one()
