"""The rows of suppressions: what people do not want to be told of, and what that hid."""

from datetime import datetime

from sqlmodel import SQLModel

from soc.store.columns import moment, number, text


class Suppression(SQLModel, table=True):
    """One decision to hide alerts, or to count what hiding them would hide.

    rule, entity, field and value: its scope, at least one of them. seen: the back-test that whoever
    saved it had looked at, backtest_json what it said. findings, alerts: what it hid, or would
    have. reviewed, warned: when people were last told of it, and that it ends.
    """

    id: int | None = number(default=None, primary_key=True)
    rule: str | None = None
    entity: str | None = None
    field: str | None = None
    value: str | None = text(default=None)
    owner: str
    reason: str = text()
    mode: str
    created: datetime = moment()
    created_by: str
    until: datetime = moment(index=True)
    ended: datetime | None = moment(default=None)
    ended_by: str | None = None
    end_reason: str | None = text(default=None)
    seen: str
    backtest_json: str = text()
    findings: int = number(default=0)
    alerts: int = number(default=0)
    last_hit: datetime | None = moment(default=None)
    reviewed: datetime | None = moment(default=None)
    warned: datetime | None = moment(default=None)


class SuppressionHit(SQLModel, table=True):
    """An alert that a suppression hid, or would have hidden, and how many findings of it."""

    __tablename__ = "suppression_hit"

    suppression: int = number(foreign_key="suppression.id", primary_key=True)
    alert: int = number(foreign_key="alert.id", primary_key=True, index=True)
    findings: int = number(default=0)
    first: datetime = moment()
    last: datetime = moment()
