"""What a correlation remembers between hits, and how far the sources of its hits have come."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from soc.detect.watermark import Progress, is_silent, latest
from soc.model.value import EPOCH, Value

MAX_KEPT = 10_000
"""Hits kept of one group; beyond it the oldest go, and a count means "at least"."""
MAX_ALL = 200_000
"""Hits kept of all groups together."""


class Kept(NamedTuple):
    """A hit as it is remembered; ``at`` in microseconds since 1970."""

    at: int
    seq: int
    value: str


class Counts(Value):
    """What is remembered: the hits of each group that may still count, oldest first.

    sources: how far each source has come. too_late: hits older than the newest of their own source
    by more than the lateness, which were not looked at. left_out: hits that were forgotten since
    there were too many.
    """

    groups: Mapping[str, tuple[Kept, ...]] = {}
    sources: Mapping[str, Progress] = {}
    too_late: int = 0
    left_out: int = 0


class Hits:
    """The hits of one group, oldest first; ``ats`` are their times alone, for quick search."""

    __slots__ = ("ats", "kept")

    def __init__(self, kept: Iterable[Kept] = ()) -> None:
        self.kept = list(kept)
        self.ats = array("q", (one.at for one in self.kept))

    def __len__(self) -> int:
        return len(self.kept)

    def add(self, hit: Kept) -> int:
        """Put *hit* where it belongs; return where that is."""
        index = bisect_right(self.kept, hit)
        self.kept.insert(index, hit)
        self.ats.insert(index, hit.at)
        return index

    def drop(self, count: int) -> None:
        """Forget the oldest *count* hits."""
        del self.kept[:count]
        del self.ats[:count]


class Memory:
    """The hits of all groups, while a batch is looked at."""

    def __init__(self, state: Counts) -> None:
        self.left_out = state.left_out
        self._groups = {key: Hits(kept) for key, kept in state.groups.items()}
        self._size = sum(map(len, self._groups.values()))
        self._oldest = [(hits.ats[0], key) for key, hits in self._groups.items()]
        heapify(self._oldest)

    def forget(self, before: int) -> None:
        """Drop what is older than *before*, in all groups."""
        while self._oldest and self._oldest[0][0] < before:
            _, key = heappop(self._oldest)
            if hits := self._groups.get(key):
                self._drop(key, bisect_left(hits.ats, before))

    def keep(self, key: str, hit: Kept) -> Hits:
        """Add *hit* to its group and return the group; the oldest go where there are too many."""
        if len(self._groups.get(key, ())) >= MAX_KEPT:
            self.left_out += 1
            self._drop(key, 1)
        while self._size >= MAX_ALL:
            _, other = heappop(self._oldest)
            if other in self._groups:
                self.left_out += 1
                self._drop(other, 1)
        hits = self._groups.setdefault(key, Hits())
        if hits.add(hit) == 0:
            heappush(self._oldest, (hit.at, key))
        self._size += 1
        return hits

    def groups(self) -> dict[str, tuple[Kept, ...]]:
        """Return what is left, by group."""
        return {key: tuple(hits.kept) for key, hits in sorted(self._groups.items())}

    def _drop(self, key: str, count: int) -> None:
        hits = self._groups[key]
        hits.drop(count)
        self._size -= count
        if hits:
            heappush(self._oldest, (hits.ats[0], key))
        else:
            del self._groups[key]


class Clocks:
    """How far each source has come. Time is told by intake, so a replay comes to the same."""

    def __init__(self, sources: Mapping[str, Progress], lateness: timedelta) -> None:
        self.sources = dict(sources)
        self._lateness = lateness
        self._now = max((one.intake for one in sources.values()), default=EPOCH)
        self._slowest: str | None = None

    def is_too_late(self, source: str, happened: datetime) -> bool:
        """Return whether *source* itself has gone past *happened* by more than the lateness."""
        own = self.sources.get(source, Progress())
        return own.event - happened > self._lateness

    def hear(self, source: str, happened: datetime, arrived: datetime) -> datetime:
        """Note one hit; return how far the slowest source has come that is not silent."""
        self.sources[source] = self.sources.get(source, Progress()).seeing(happened, arrived)
        self._now = max(self._now, arrived)
        slow = self._slowest
        if slow is None or slow == source or self._is_silent(slow):
            speaking = [name for name in self.sources if not self._is_silent(name)]
            slow = min(speaking, key=lambda name: self.sources[name].event)
        elif self.sources[source].event < self.sources[slow].event:
            slow = source
        self._slowest = slow
        return self.sources[slow].event

    def kept(self) -> dict[str, Progress]:
        """Return the sources to be remembered."""
        return latest(self.sources)

    def _is_silent(self, name: str) -> bool:
        return is_silent(self.sources[name], self._now, self._lateness)
