"""Leases end by the store's own clock where it has one: workers on several machines disagree."""

from datetime import timedelta
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, DateTime, Interval, bindparam, func

from soc.clock import Clock
from soc.store.columns import Moment
from soc.store.engine import POSTGRESQL, SQLITE

_NOW = func.clock_timestamp(type_=DateTime(timezone=True))


LEASE_NOWS = MappingProxyType({SQLITE: bindparam("now", type_=Moment), POSTGRESQL: _NOW})
"""What a lease is compared with, by the kind of database, for statements built beforehand."""
LEASE_ENDS = MappingProxyType(
    {
        SQLITE: bindparam("lease_ends", type_=Moment),
        POSTGRESQL: _NOW + bindparam("lease_lasts", type_=Interval),
    }
)
"""When a lease ends that begins now, likewise."""


def lease_parameters(connection: Connection, lease: timedelta, clock: Clock) -> dict[str, Any]:
    """Return what LEASE_ENDS needs to know."""
    on_server = connection.dialect.name == POSTGRESQL
    return {"lease_lasts": lease} if on_server else {"lease_ends": clock.now() + lease}
