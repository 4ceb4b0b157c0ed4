"""What was measured: what incidents put at risk, and how long detectors take."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from soc.store.columns import moment, number, text


class IncidentMoney(SQLModel, table=True):
    """All that is known of what an incident puts at risk; in short it stands in its own row."""

    __tablename__ = "incident_money"

    incident: int = number(foreign_key="incident.id", primary_key=True)
    told_json: str = text()


class Timing(SQLModel, table=True):
    """How many windows of events a detector judged in *took_ms* milliseconds, by hour."""

    __tablename__ = "detector_timing"

    hour: datetime = moment(primary_key=True)
    detector: str = Field(primary_key=True)
    took_ms: int = number(primary_key=True)
    windows: int = number(default=0)
