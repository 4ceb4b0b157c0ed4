"""How much each source sends: its limits, and when it was last seen, kept without a write each."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Lock

from soc.clock import Clock, monotonic
from soc.errors import StoreError, TooManyRequests
from soc.inputs import Expected
from soc.store import sources
from soc.store.session import Database, reading, session
from soc.store.sources import State

BURST = 2.0
"""Seconds of a source's rate that it may bring at once."""
MOST = 10_000
"""Sources that are counted one by one; those beyond are stored, and not counted."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit that a source hit. key: the same for as long as it is one matter."""

    source: str
    kind: str
    reason: str
    key: str


@dataclass
class _Source:
    state: State
    is_changed: bool = False
    room: float = 0.0
    """Events that it may still bring; below nought while it owes time."""
    filled: float = field(default_factory=monotonic)


Tell = Callable[[Limit], None]


class Tallies:
    """The sources of one front door. Any thread may use it."""

    def __init__(
        self, database: Callable[[], Database], clock: Clock, expected: Mapping[str, Expected]
    ) -> None:
        self._database, self._clock, self._expected = database, clock, expected
        self._lock = Lock()
        self._sources: dict[str, _Source] | None = None
        self._told: dict[tuple[str, str], str] = {}

    def admit(self, counts: Mapping[str, int], tell: Tell) -> None:
        """Count what is about to be stored; raises TooManyRequests for what is beyond a limit.

        A batch that begins within the rate is taken whole, and the time it owes is waited for by
        the next. *tell* is called once for each matter.
        """
        for name, count in counts.items():
            if (limits := self._expected.get(name)) is None:
                continue
            with self._lock:
                hit = self._beyond(name, limits, count)
                is_news = hit is not None and self._is_news(hit[0])
            if hit is None:
                continue
            if is_news:
                tell(hit[0])
            raise TooManyRequests(hit[0].reason, hit[1])

    def owed(self, name: str, count: int) -> float:
        """Return the seconds that *count* events of *name* must wait; with 0 they are counted in.

        For inputs that can hold their sender back, and refuse nothing.
        """
        limits = self._expected.get(name)
        if limits is None or limits.rate is None:
            return 0.0
        with self._lock:
            one = self._of(name, self._clock.now())
            return self._owed(one, limits.rate, count) if one else 0.0

    def is_used_up(self, name: str, tell: Tell) -> bool:
        """Return whether *name* has brought what it may bring today; *tell* is called once a day.

        For inputs that can hold their sender back. What begins within the limit is taken whole.
        """
        limits = self._expected.get(name)
        if limits is None or limits.daily is None:
            return False
        now = self._clock.now()
        with self._lock:
            one = self._of(name, now)
            if one is None or one.state.on(now.date()).day_events < limits.daily:
                return False
            hit = _of_the_day(name, limits.daily, now)
            is_news = self._is_news(hit)
        if is_news:
            tell(hit)
        return True

    def seen(self, counts: Mapping[str, int]) -> None:
        """Count what was stored."""
        now = self._clock.now()
        with self._lock:
            for name, count in counts.items():
                if (one := self._of(name, now)) is None:
                    continue
                state = one.state.on(now.date())
                one.state = State(name, now, state.day, state.day_events + count, state.refused)
                one.is_changed = True

    def flush(self) -> None:
        """Keep what changed, in one transaction."""
        with self._lock:
            changed = [one for one in self._all().values() if one.is_changed]
            states = [one.state for one in changed]
            for one in changed:
                one.is_changed = False
        if not states:
            return
        try:
            with session(self._database()) as writing:
                sources.keep(writing, states)
        except StoreError:
            with self._lock:
                for one in changed:
                    one.is_changed = True
            raise

    def _beyond(self, name: str, limits: Expected, count: int) -> tuple[Limit, int] | None:
        """Return the limit that *count* more events are beyond, and the seconds to wait."""
        now = self._clock.now()
        if (one := self._of(name, now)) is None:
            return None
        state = one.state = one.state.on(now.date())
        hit: tuple[Limit, int] | None = None
        if limits.daily is not None and state.day_events + count > limits.daily:
            midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), UTC)
            after = math.ceil((midnight - now).total_seconds())
            hit = _of_the_day(name, limits.daily, now), after
        elif limits.rate is not None and (owed := self._owed(one, limits.rate, count)) > 0:
            reason = f"source {name} may bring {limits.rate} events a second: send slower"
            hit = Limit(name, "rate", reason, f"{now:%Y-%m-%dT%H}"), math.ceil(owed)
        if hit is not None:
            one.state = State(
                name, state.last_seen, state.day, state.day_events, state.refused + count
            )
            one.is_changed = True
        return hit

    def _is_news(self, hit: Limit) -> bool:
        """Return whether *hit* was not told yet; it is from now on."""
        is_news = self._told.get((hit.source, hit.kind)) != hit.key
        self._told[hit.source, hit.kind] = hit.key
        return is_news

    @staticmethod
    def _owed(one: _Source, rate: int, count: int) -> float:
        """Return the seconds that the source must wait, or take *count* from its room."""
        now = monotonic()
        most = rate * BURST
        one.room = min(most, one.room + (now - one.filled) * rate)
        one.filled = now
        if one.room <= 0:
            return -one.room / rate + 1 / rate
        one.room -= count
        return 0.0

    def _of(self, name: str, now: datetime) -> _Source | None:
        known = self._all()
        if name not in known:
            if len(known) >= MOST and name not in self._expected:
                return None
            limits = self._expected.get(name)
            room = (limits.rate or 0) * BURST if limits else 0.0
            known[name] = _Source(State(name, now, now.date(), 0, 0), room=room)
        return known[name]

    def _all(self) -> dict[str, _Source]:
        if self._sources is None:
            with reading(self._database()) as looking:
                kept = sources.read(looking, MOST)
            rates = {name: (one.rate or 0) * BURST for name, one in self._expected.items()}
            self._sources = {one.name: _Source(one, room=rates.get(one.name, 0.0)) for one in kept}
        return self._sources


def _of_the_day(name: str, most: int, now: datetime) -> Limit:
    reason = f"source {name} may bring {most} events a day: raise inputs.sources"
    return Limit(name, "daily", reason, now.date().isoformat())
