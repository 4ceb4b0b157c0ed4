"""The rows of experiments: what was planned, where they stand, and every look that was taken."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from soc.store.columns import moment, number, text


class Experiment(SQLModel, table=True):
    """One experiment. What was planned never changes.

    state: draft, running or stopped. salt: what keeps assignments from being guessed.
    looks_json: planned fractions. taken_json: the looks that were taken, with what they showed.
    """

    __tablename__ = "experiment"

    name: str = Field(primary_key=True)
    title: str = text()
    owner: str
    state: str
    arms_json: str = text()
    unit: str
    metric: str
    guardrails_json: str = text()
    looks_json: str = text()
    units: int = number()
    baseline: float | None
    minimal_effect: float | None
    alpha: float
    power: float
    salt: str
    taken_json: str = text(default="[]")
    created: datetime = moment()
    created_by: str
    started: datetime | None = moment(default=None)
    stopped: datetime | None = moment(default=None)
    reason: str = text(default="")
