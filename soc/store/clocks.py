"""The rows of time: when an incident's clocks stood still, which ran out, and what opened it."""

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from soc.store.columns import moment, number


class IncidentPause(SQLModel, table=True):
    """A time in which nobody worked an incident, for it was on hold or at rest. ended: if it is."""

    __tablename__ = "incident_pause"

    incident: int = number(foreign_key="incident.id", primary_key=True)
    began: datetime = moment(primary_key=True)
    ended: datetime | None = moment(default=None)


class ClockBreach(SQLModel, table=True):
    """A clock of an incident that ran out, and when that was told."""

    __tablename__ = "clock_breach"

    incident: int = number(foreign_key="incident.id", primary_key=True)
    clock: str = Field(primary_key=True)
    due: datetime = moment()
    told: datetime = moment()


class IncidentOpening(SQLModel, table=True):
    """Which rule opened an incident, and when. storm: it takes what would open too many others."""

    __tablename__ = "incident_opening"
    __table_args__ = (Index("ix_incident_opening_rule_at", "rule", "at"),)

    incident: int = number(foreign_key="incident.id", primary_key=True)
    rule: str
    monitor: bool = False
    at: datetime = moment()
    storm: bool = False
