"""A store without alerts and incidents, for tests that fill one many times."""

from sqlalchemy import delete
from sqlmodel import Session

from soc.store.tables import (
    Alert,
    AlertEntity,
    AlertMove,
    AuditRow,
    Incident,
    IncidentEntity,
    IncidentOpening,
    IncidentPause,
)


def clear(writing: Session) -> None:
    """Forget every alert, incident and act."""
    for table in (
        IncidentOpening,
        IncidentPause,
        AlertMove,
        AlertEntity,
        IncidentEntity,
        Alert,
        Incident,
        AuditRow,
    ):
        writing.execute(delete(table))
