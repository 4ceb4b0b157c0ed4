"""How long detectors take."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from soc.store.columns import moment, number


class Timing(SQLModel, table=True):
    """How many windows of events a detector judged in *took_ms* milliseconds, by hour."""

    __tablename__ = "detector_timing"

    hour: datetime = moment(primary_key=True)
    detector: str = Field(primary_key=True)
    took_ms: int = number(primary_key=True)
    windows: int = number(default=0)
