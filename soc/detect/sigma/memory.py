"""What a correlation remembers between hits."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from pydantic import ConfigDict, field_serializer

from soc.detect.sigma.gauge import Gauge
from soc.detect.sigma.threshold import Measured
from soc.model.value import Value

MAX_KEPT = 10_000
"""Hits kept of one group; beyond it the oldest go, and a count means "at least"."""
MAX_ALL = 200_000
"""Hits kept of all groups together."""


class Above(NamedTuple):
    """How *rule*, which counts the correlation *via*, would count its result at this hit."""

    rule: str
    via: str
    group: tuple[str, ...]
    value: str


class Kept(NamedTuple):
    """A hit as it is remembered; ``at`` in microseconds since 1970.

    value: what is measured. above: for the correlations that count this one.
    """

    at: int
    seq: int
    value: str
    above: tuple[Above, ...] = ()


class Counts(Value):
    """What is remembered: the hits of each group that may still count, oldest first.

    lost: for a group that had too many, when the newest happened that was forgotten. passed: up to
    when windows were decided that wait for their end. too_late: hits that came when their windows
    were decided. left_out: hits that were forgotten since there were too many.
    """

    model_config = ConfigDict(extra="ignore")  # homes of 0.1.0 keep ``sources`` here

    groups: Mapping[str, tuple[Kept, ...]] = {}
    lost: Mapping[str, int] = {}
    passed: int = 0
    too_late: int = 0
    left_out: int = 0

    @field_serializer("groups")
    def _plain(self, groups: Mapping[str, tuple[Kept, ...]]) -> dict[str, tuple[Kept, ...]]:
        return dict(groups)


class Hits:
    """The hits of one group, oldest first; ``ats`` are their times alone, for quick search."""

    __slots__ = ("_begin", "_end", "_gauge", "_make", "ats", "kept")

    def __init__(self, make: Callable[[], Gauge], kept: Iterable[Kept] = ()) -> None:
        self.kept = list(kept)
        self.ats = array("q", (one.at for one in self.kept))
        self._make = make
        self._gauge: Gauge | None = None
        self._begin = self._end = 0

    def __len__(self) -> int:
        return len(self.kept)

    def add(self, hit: Kept) -> int | None:
        """Put *hit* where it belongs; return where that is, None if it is there already."""
        index = bisect_right(self.kept, hit)
        if index and self.kept[index - 1] == hit:
            return None
        self.kept.insert(index, hit)
        self.ats.insert(index, hit.at)
        if index < self._end:
            self._gauge = None
        return index

    def drop(self, count: int) -> None:
        """Forget the oldest *count* hits."""
        if self._gauge:
            for one in self.kept[self._begin : min(count, self._end)]:
                self._gauge.drop(one.at, one.value)
        self._begin, self._end = max(self._begin - count, 0), max(self._end - count, 0)
        del self.kept[:count]
        del self.ats[:count]

    def measure(self, begin: int, end: int) -> Measured:
        """Return what the hits from *begin* up to *end* come to; cheap if windows move on."""
        if self._gauge is None or begin < self._begin or end < self._end:
            self._gauge, self._begin, self._end = self._make(), begin, begin
        for one in self.kept[self._end : end]:
            self._gauge.add(one.at, one.value)
        for one in self.kept[self._begin : begin]:
            self._gauge.drop(one.at, one.value)
        self._begin, self._end = begin, end
        return self._gauge.read()


class Memory:
    """The hits of all groups, while a batch is looked at."""

    def __init__(self, state: Counts, make: Callable[[], Gauge]) -> None:
        self.left_out = state.left_out
        self.lost = dict(state.lost)
        self._make = make
        self.hits = {key: Hits(make, kept) for key, kept in state.groups.items()}
        self._size = sum(map(len, self.hits.values()))
        self._oldest = [(hits.ats[0], key) for key, hits in self.hits.items()]
        heapify(self._oldest)

    def forget(self, before: int) -> None:
        """Drop what is older than *before*, in all groups."""
        while self._oldest and self._oldest[0][0] < before:
            _, key = heappop(self._oldest)
            if hits := self.hits.get(key):
                self._drop(key, bisect_left(hits.ats, before))

    def keep(self, key: str, hit: Kept) -> Hits | None:
        """Add *hit* to its group and return the group; the oldest go where there are too many.

        Returns None if the same hit is there already.
        """
        if len(self.hits.get(key, ())) >= MAX_KEPT:
            self._lose(key)
        while self._size >= MAX_ALL:
            _, other = heappop(self._oldest)
            if other in self.hits:
                self._lose(other)
        hits = self.hits.get(key)
        if hits is None:
            hits = self.hits[key] = Hits(self._make)
        index = hits.add(hit)
        if index is None:
            return None
        if index == 0:
            heappush(self._oldest, (hit.at, key))
        self._size += 1
        return hits

    def groups(self) -> dict[str, tuple[Kept, ...]]:
        """Return what is left, by group."""
        return {key: tuple(hits.kept) for key, hits in sorted(self.hits.items())}

    def _lose(self, key: str) -> None:
        self.left_out += 1
        self.lost[key] = self.hits[key].ats[0]
        self._drop(key, 1)

    def _drop(self, key: str, count: int) -> None:
        hits = self.hits[key]
        hits.drop(count)
        self._size -= count
        if hits:
            heappush(self._oldest, (hits.ats[0], key))
        else:
            del self.hits[key]
