"""How far events have come, told by events alone, so a replay comes to the same."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from soc.detect.watermark import Progress, latest
from soc.model.value import MICROSECOND, micros, moment_of


class Move(NamedTuple):
    """With the event ``seq`` the watermark passed on; both are in microseconds since 1970.

    before: where it was.
    """

    seq: int
    before: int
    passed: int


class Clocks:
    """The watermark before which nothing more is awaited, and how it moved.

    It is the lateness behind the newest event of the slowest source. A source from which nothing
    came for that long, by the intake of the others, holds it back no more.

    passed: the watermark; it never goes back. awaited: what it would be if it did, for a source
    that is heard of again, or for the first time, with what is older.
    """

    def __init__(
        self, sources: Mapping[str, Progress], lateness: timedelta, passed: int = 0
    ) -> None:
        self._event = {name: micros(one.event) for name, one in sources.items()}
        self._intake = {name: micros(one.intake) for name, one in sources.items()}
        self._now = max(self._intake.values(), default=0)
        self._lateness = lateness // MICROSECOND
        self._slowest: str | None = None
        self.passed = self.awaited = passed
        self.moves: list[Move] = []

    def hear(self, seq: int, source: str, happened: int, arrived: int) -> bool:
        """Note one event; return whether its source had gone past it by more than the lateness."""
        own = self._event.get(source)
        is_late = own is not None and own - happened > self._lateness
        if own is None or happened > own:
            self._event[source] = happened
        self._intake[source] = max(self._intake.get(source, arrived), arrived)
        self._now = max(self._now, arrived)
        slow = self._slowest
        is_silent = slow is None or self._is_silent(slow)
        is_ahead = own is not None and happened <= own and not self._is_slower(source, slow)
        if not is_silent and is_ahead:
            return is_late
        if slow is None or slow == source or is_silent:
            is_alone = len(self._event) == 1
            speaking = [source] if is_alone else self._speaking()
            slow = min(speaking, key=self._event.__getitem__, default=source)
        elif self._event[source] < self._event[slow]:
            slow = source
        self._slowest = slow
        self.awaited = self._event[slow] - self._lateness
        self._pass(seq, self.awaited)
        return is_late

    def idle(self, seq: int, now: datetime) -> None:
        """Note that at *now*, after the event *seq*, nothing more had come."""
        self._now = max(self._now, micros(now))
        if not self._speaking():
            self._pass(seq, self._now)

    def sources(self) -> dict[str, Progress]:
        """Return the sources to be remembered."""
        return latest(
            {
                name: Progress(event=moment_of(event), intake=moment_of(self._intake[name]))
                for name, event in self._event.items()
            }
        )

    def _pass(self, seq: int, mark: int) -> None:
        if mark > self.passed:
            self.moves.append(Move(seq, self.passed, mark))
            self.passed = mark

    def _is_slower(self, source: str, slow: str | None) -> bool:
        return slow is None or self._event[source] < self._event[slow]

    def _speaking(self) -> list[str]:
        since = self._now - self._lateness
        return [name for name, heard in self._intake.items() if heard >= since]

    def _is_silent(self, name: str) -> bool:
        return self._now - self._intake[name] > self._lateness
