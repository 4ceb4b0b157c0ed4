"""Whether a home may write its shard: what somebody who knows all homes tells the event store."""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple, Protocol

from soc.model.shard import Marks


class Reached(NamedTuple):
    """How far a shard has got. complete: all that was taken in before is in the cluster."""

    upto: int
    complete: datetime


class Waits(NamedTuple):
    """A shard whose home may still hold events, in by *since* to *until*, that it has not sent."""

    shard: int
    since: datetime | None
    until: datetime


class Lease(Protocol):
    """The right to write one shard."""

    @property
    def shard(self) -> int:
        """Return which one."""

    @property
    def lost(self) -> str:
        """Return who took it and what to do, or nothing while it is ours."""

    def keep(self, reached: Callable[[], Reached]) -> None:
        """Renew it from now on by itself, and publish each time what *reached* says."""

    def require(self) -> None:
        """Do nothing if it is certainly ours now; raise LogError."""

    def publish(self) -> None:
        """Let others read up to where the shard has got; raise LogError if it is lost."""

    def others(self) -> list[Waits]:
        """Return the other shards, and what they may still send."""

    def release(self) -> None:
        """Let another process take it."""


Take = Callable[[str, int | None, int], Lease]
"""Gives a home, by its id, the lease of a shard; raises LogError.

The second is the shard that it has already, or shall have, None for any; the third the last number
that it knows to be given.
"""
Published = Callable[[], Marks]
"""Tells what can be found in the cluster, by shard."""


class Sole:
    """The lease of a home that shares its cluster with no other."""

    lost = ""

    def __init__(self, _home: str, shard: int | None, _upto: int) -> None:
        self.shard = shard or 0

    def keep(self, _reached: Callable[[], Reached]) -> None:
        """Renew nothing."""

    def require(self) -> None:
        """Do nothing: it is always ours."""

    def publish(self) -> None:
        """Tell nobody."""

    def others(self) -> list[Waits]:
        """Return none."""
        return []

    def release(self) -> None:
        """Do nothing."""


def nobody() -> Marks:
    """Return what others have published where there are none."""
    return {}
