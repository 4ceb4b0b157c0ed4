"""Leases end by the store's own clock where it has one: workers on several machines disagree."""

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, DateTime, func
from sqlmodel import Session, col

from soc.clock import Clock
from soc.store.engine import POSTGRESQL
from soc.store.tables import Run

_NOW = func.clock_timestamp(type_=DateTime(timezone=True))


def lease_end(session: Session, lease: timedelta, clock: Clock) -> Any:  # noqa: ANN401 - a moment, or what the store makes one of
    """Return when a lease ends that begins now."""
    return _NOW + lease if _has_clock(session) else clock.now() + lease


def lease_is_over(session: Session, clock: Clock) -> ColumnElement[bool]:
    """Return the condition that the lease of a run has ended."""
    return col(Run.lease_until) <= (_NOW if _has_clock(session) else clock.now())


def _has_clock(session: Session) -> bool:
    return session.get_bind().dialect.name == POSTGRESQL
