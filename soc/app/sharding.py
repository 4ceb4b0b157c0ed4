"""Hold the home's shard for as long as its front door lives, and let others read what it sent."""

import os
from collections.abc import Callable
from datetime import timedelta
from threading import Event, Lock, Thread

from soc.clock import Clock, monotonic
from soc.errors import LogError, StoreError
from soc.logs.opensearch.lease import Reached, Waits
from soc.store import shards
from soc.store.session import Database, reading, session

LEASE = timedelta(seconds=8)
"""So long a shard waits for a front door that died: less than a start is patient."""
EVERY = LEASE.total_seconds() / 4


class Shards:
    """All shards of an installation, as the store knows them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    def take(self, home: str, shard: int | None, upto: int) -> "Holding":
        """Return the lease of the shard of *home*; raises LogError while another holds it."""
        claim = shards.Claim(home=home, shard=shard, upto=upto)
        owner, began = f"{os.uname().nodename}:{os.getpid()}", monotonic()
        with session(self._database) as writing:
            held = shards.take(writing, claim, owner, LEASE, self._clock)
        return Holding(self._database, self._clock, held, began)

    def published(self) -> dict[int, int]:
        """Return what can be found in the cluster, by shard."""
        with reading(self._database) as looking:
            return shards.published(looking)


class Holding:
    """The lease of one shard. It is ours until the store says that another one took it."""

    def __init__(self, database: Database, clock: Clock, held: shards.Held, began: float) -> None:
        self._database, self._clock, self._held = database, clock, held
        self._until = began + LEASE.total_seconds()
        self._reached: Callable[[], Reached] | None = None
        self._renewing, self._ended = Lock(), Event()
        self.lost = ""

    @property
    def shard(self) -> int:
        """Return which one."""
        return self._held.shard

    def keep(self, reached: Callable[[], Reached]) -> None:
        """Renew it from now on by itself, and publish each time what *reached* says."""
        self._reached = reached
        Thread(target=self._renew_on, name="soc-shard", daemon=True).start()

    def require(self) -> None:
        """Do nothing if it is certainly ours now; raise LogError."""
        if self.lost:
            raise LogError(self.lost)
        if monotonic() > self._until:
            raise LogError(
                f"the lease of shard {self.shard} is over and the store cannot renew it: events "
                "are kept in the journal until it does"
            )

    def publish(self) -> None:
        """Let others read up to where the shard has got; raise LogError if it is lost."""
        self._renew()
        if self.lost:
            raise LogError(self.lost)

    def others(self) -> list[Waits]:
        """Return the other shards, and what they may still send."""
        with reading(self._database) as looking:
            return [
                Waits(one.shard, one.complete, one.until)
                for one in shards.listed(looking)
                if one.shard != self.shard
            ]

    def release(self) -> None:
        """Tell how far it got and let another process take it; if it cannot be told, it ends."""
        self._ended.set()
        self._renew(timedelta())

    def _renew_on(self) -> None:
        while not (self._ended.wait(EVERY) or self.lost):
            self._renew()

    def _renew(self, lease: timedelta = LEASE) -> None:
        """Renew the lease, if the store answers."""
        with self._renewing:
            if self._ended.is_set() and lease:
                return
            began, reached = monotonic(), self._reached() if self._reached else None
            try:
                with session(self._database) as writing:
                    other = shards.renew(writing, self._held, reached, lease, self._clock)
            except StoreError:
                return  # what was not published is so the next time
            if not other:
                self._until = began + lease.total_seconds()
                return
            self.lost = (
                f"shard {self.shard} was taken by {other}, which has a copy of this home: no "
                "events are taken here; end this process, and keep one home of the two"
            )
