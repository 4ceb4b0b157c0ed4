"""Leases end by the store's own clock where it has one: workers on several machines disagree."""

from datetime import timedelta
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, DateTime, Interval, bindparam, func
from sqlmodel import Session, col

from soc.clock import Clock
from soc.store.columns import Moment
from soc.store.engine import POSTGRESQL, SQLITE
from soc.store.tables import Run

_NOW = func.clock_timestamp(type_=DateTime(timezone=True))


def lease_end(session: Session, lease: timedelta, clock: Clock) -> Any:  # noqa: ANN401 - a moment, or what the store makes one of
    """Return when a lease ends that begins now."""
    return _NOW + lease if _has_clock(session) else clock.now() + lease


LEASE_ENDS = MappingProxyType(
    {
        SQLITE: bindparam("lease_ends", type_=Moment),
        POSTGRESQL: _NOW + bindparam("lease_lasts", type_=Interval),
    }
)
"""When a lease ends that begins now, by the kind of database, for statements built beforehand."""


def lease_parameters(session: Session, lease: timedelta, clock: Clock) -> dict[str, Any]:
    """Return what LEASE_ENDS needs to know."""
    return {"lease_lasts": lease} if _has_clock(session) else {"lease_ends": clock.now() + lease}


def lease_is_over(session: Session, clock: Clock) -> ColumnElement[bool]:
    """Return the condition that the lease of a run has ended."""
    return col(Run.lease_until) <= (_NOW if _has_clock(session) else clock.now())


def _has_clock(session: Session) -> bool:
    return session.get_bind().dialect.name == POSTGRESQL
