"""Shards: each home that writes to a cluster holds one by a lease; all read what it published."""

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field
from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, select, update

from soc.clock import Clock
from soc.errors import LogError
from soc.model.shard import SHARDS, first_of
from soc.model.value import Value, rfc3339
from soc.store.engine import POSTGRESQL
from soc.store.locks import alone
from soc.store.tables import Shard


class Claim(Value):
    """Which shard a home wants.

    home: its id. shard: the one that it has, or was told to take; None for any. upto: the last
    number that it knows to be given.
    """

    home: str
    shard: Annotated[int, Field(ge=0, lt=SHARDS)] | None = None
    upto: int = 0


class Held(Value):
    """A shard that is held. fence: grows each time that it is taken."""

    shard: int
    fence: int


def take(session: Session, claim: Claim, owner: str, lease: timedelta, clock: Clock) -> Held:
    """Give *owner* the shard of a home; raises LogError while another one holds it."""
    alone(session, "shards")
    now = _now(session, clock)
    row = session.exec(select(Shard).where(Shard.home == claim.home)).first()
    if row is None:
        row = _new(session, claim, now)
    elif claim.shard not in {None, row.shard}:
        raise LogError(
            f"opensearch.shard is {claim.shard}, but this home writes shard {row.shard}: write "
            "that, or nothing"
        )
    if row.until > now:
        raise LogError(
            f"shard {row.shard} is held by {row.owner} until {rfc3339(row.until)}: it is another "
            "process with this home, or with a copy of it; end that one first"
        )
    if row.upto > max(claim.upto, first_of(row.shard)):
        raise LogError(
            f"shard {row.shard} has events up to {row.upto}, this home knows of {claim.upto}: it "
            "comes from an older backup and would give numbers twice: begin a new home"
        )
    row.owner, row.until, row.fence = owner, now + lease, row.fence + 1
    session.add(row)
    return Held(shard=row.shard, fence=row.fence)


def renew(
    session: Session,
    held: Held,
    reached: tuple[int, datetime] | None,
    lease: timedelta,
    clock: Clock,
) -> str:
    """Hold a shard for longer and tell how far it got; return who else took it, or nothing.

    lease: none at all lets the next process take it. reached: the last number in the cluster, and
    what was taken in before which moment is there; None as long as that is not known.
    """
    row: dict[str, int | datetime] = {"until": _now(session, clock) + lease}
    if reached:
        row |= {"upto": reached[0], "complete": reached[1]}
    if session.exec(update(Shard).where(*_mine(held)).values(**row)).rowcount:
        return ""
    other = session.get(Shard, held.shard)
    return other.owner if other else "nobody"


def published(session: Session) -> dict[int, int]:
    """Return the last number that can be found in the cluster, by shard."""
    return {row.shard: row.upto for row in session.exec(select(Shard).order_by(_BY_NUMBER))}


def listed(session: Session) -> list[Shard]:
    """Return all shards by number."""
    return list(session.exec(select(Shard).order_by(_BY_NUMBER)))


_BY_NUMBER = col(Shard.shard)


def _mine(held: Held) -> tuple[ColumnElement[bool], ...]:
    return col(Shard.shard) == held.shard, col(Shard.fence) == held.fence


def _new(session: Session, claim: Claim, now: datetime) -> Shard:
    """Return a shard for a home that has none in this store yet."""
    taken = {row.shard: row for row in listed(session)}
    free = next((shard for shard in range(SHARDS) if shard not in taken), None)
    number = free if claim.shard is None else claim.shard
    if number is None:
        raise LogError(f"all {SHARDS} shards are taken: no further home can write here")
    if number in taken:
        raise LogError(
            f"shard {number} belongs to another home, last held by {taken[number].owner}: leave "
            "opensearch.shard away, and this one gets its own; one that has events of it cannot"
        )
    return Shard(shard=number, home=claim.home, owner="", until=now, fence=0, upto=first_of(number))


def _now(session: Session, clock: Clock) -> datetime:
    """Return the time by which leases end: of the server, where there is one."""
    if session.connection().dialect.name == POSTGRESQL:
        found: datetime = session.exec(select(func.clock_timestamp())).one()
        return found
    return clock.now()
