"""Measure hits in windows of event time: a pure function with explicit state.

A window is a stretch of event time as long as the rule's timespan, both ends included. Which
windows are asked, and when, depends on what makes the condition true:

- *at once*: more hits can only make it true (gt and gte of counts and sums, rules that hit). Each
  hit is looked at once, in the order of ``seq``: if a window that holds it is enough, there is a
  result, and again for each further hit for which that is so. It is not waited for anything.
- *ending* with each hit: numbers that more hits can make false (means, medians, eq, ranges).
- *beginning* with each hit: a rule that must not hit (``a and not b``: no b follows the a).
- *following* each hit, which is not in it: what nothing at all makes true (lt, lte, eq: 0). So the
  silence after the last heartbeat is found, of groups that were seen before.

The last three are decided once, when the mark (see ``Clocks``) has passed the window's end: of what
came in time, nothing is missing then. A hit from before the mark comes too late for them. Hits are
taken one by one, each with the mark as it was when the hit came, so nothing depends on how hits are
cut into batches.

Sums are looked at at once although a negative number may come later: it takes nothing back.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from operator import itemgetter
from typing import NamedTuple

import numpy as np
import orjson

from soc.detect.sigma.bulk import Bulk, Column
from soc.detect.sigma.clocks import Move
from soc.detect.sigma.gauge import gauge_of
from soc.detect.sigma.memory import Above, Counts, Hits, Kept, Memory
from soc.detect.sigma.rule import Correlation, CountKind
from soc.detect.sigma.threshold import Bounds, Expression, Measured
from soc.model.value import MICROSECOND

MAX_SEQS = 200
MANY = 500
"""Of fewer hits, each is looked at."""
Window = tuple[int, int]
"""Of the hits of a group, the first that is in it, and the first after it."""
RISING = frozenset(CountKind) - {
    CountKind.VALUE_AVG,
    CountKind.VALUE_MEDIAN,
    CountKind.VALUE_PERCENTILE,
}
"""What does not become less by further hits."""
FROM_NOTHING: dict[CountKind, Measured] = {
    **dict.fromkeys(RISING, 0),
    CountKind.TEMPORAL: frozenset(),
}
"""What a window without hits comes to; others have nothing to measure there."""


class Asked(StrEnum):
    """Which windows are asked: see above."""

    AT_ONCE = "at once"
    ENDING = "ending"
    BEGINNING = "beginning"
    FOLLOWING = "following"


class Seen(NamedTuple):
    """One hit of a rule that is counted; times in microseconds since 1970.

    at: when it happened, not after its intake. group: the values of group-by. value: what is
    measured. came: with which event it came, if that is another one. passed: the mark before that
    event. awaited: from when on more is awaited after it. is_late: its own source had gone past it
    by more than the lateness.
    """

    at: int
    seq: int
    group: tuple[str, ...]
    value: str = ""
    above: tuple[Above, ...] = ()
    came: int = 0
    passed: int = 0
    awaited: int = 0
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class Correlated:
    """A window that makes the rule true.

    first, last: of what is in it, or of what it follows. at: of the hit that completed it, or when
    the silence was long enough.
    counted: what it comes to. seqs: of its hits, the first and the last hundred if there are more.
    came: with which event that was known. passed, awaited: as of a hit that came with it. ends: the
    last hits of this window and of others that became true with it.
    """

    group: tuple[str, ...]
    first: int
    last: int
    at: int
    counted: int | Fraction
    seqs: tuple[int, ...]
    came: int
    passed: int
    awaited: int
    ends: tuple[Kept, ...]


def asked_of(rule: Correlation) -> Asked:
    """Return which windows *rule* asks."""
    if rule.condition.rises and rule.kind in RISING:
        return Asked.AT_ONCE
    if rule.condition.holds(FROM_NOTHING.get(rule.kind)):
        return Asked.FOLLOWING
    return Asked.BEGINNING if isinstance(rule.condition, Expression) else Asked.ENDING


def correlate(
    rule: Correlation,
    hits: Iterable[Seen],
    state: Counts,
    *,
    moves: Sequence[Move] = (),
    lag: int = 0,
    is_counted: bool = False,
) -> tuple[list[Correlated], Counts]:
    """Return what *hits*, on top of *state*, make true, and what to remember.

    hits: in the order in which they came. moves: of the mark, meanwhile. lag: how much later than
    the mark, in microseconds, what is counted may be known. is_counted: by other correlations,
    which must be told of all windows that became true.
    """
    asked, span, hits = asked_of(rule), rule.timespan // MICROSECOND, list(hits)
    is_plain = rule.kind is CountKind.EVENT_COUNT and asked is Asked.AT_ONCE and not is_counted
    if is_plain and len(hits) >= MANY and (found := _in_bulk(rule, hits, state, span, lag)):
        return found
    memory, too_late, results = Memory(state, gauge_of(rule)), state.too_late, list[Correlated]()
    for hit in hits:
        if hit.is_late if asked is Asked.AT_ONCE else hit.at < hit.passed - lag:
            too_late += 1
            continue
        if asked is Asked.AT_ONCE:
            memory.forget(hit.awaited - lag - span)
        group = memory.keep(key_of(hit.group), Kept(hit.at, hit.seq, hit.value, hit.above))
        if group and asked is Asked.AT_ONCE:
            results += _look(rule, hit, group, span, every=is_counted)
    passed = state.passed
    if asked is not Asked.AT_ONCE and moves:
        passed = max(passed, moves[-1].passed - lag)
        decided = _Decided(rule, asked, span, state.passed, passed, moves, lag)
        results += decided.of(memory)
        memory.forget(passed - span)
    return results, Counts.model_construct(
        groups=memory.groups(),
        lost={key: at for key, at in sorted(memory.lost.items()) if key in memory.hits},
        passed=passed,
        too_late=too_late,
        left_out=memory.left_out,
    )


def _in_bulk(
    rule: Correlation, hits: Sequence[Seen], state: Counts, span: int, lag: int
) -> tuple[list[Correlated], Counts] | None:
    """Return what *rule*, which counts events, makes of *hits* that came in the order of time.

    None if they did not, or were too many, so that each must be looked at.
    """
    if any(map(itemgetter(8), hits)) or not isinstance(rule.condition, Bounds):
        return None
    ats, seqs, awaited = (
        np.fromiter(map(itemgetter(field), hits), np.int64, len(hits)) for field in (0, 1, 7)
    )
    column = Column(ats, seqs, awaited, [hit.group for hit in hits])
    bulk = Bulk(column, state, span, lag + span)
    if not bulk.is_exact:
        return None
    results = []
    for place, first, last, counted, told in bulk.crowds(rule.condition.least, MAX_SEQS):
        hit = hits[place]
        came = hit.came or hit.seq
        known = (hit.at, counted, told, came, hit.passed, hit.awaited, ())
        results.append(Correlated(hit.group, first, last, *known))
    return results, bulk.counts()


def key_of(values: tuple[str, ...]) -> str:
    """Return *values* as one text, different for different values."""
    return orjson.dumps(values).decode()


def _look(
    rule: Correlation, hit: Seen, hits: Hits, span: int, *, every: bool
) -> Iterator[Correlated]:
    """Yield the window that holds *hit* and comes to most, if it is enough; the earliest such."""
    bounds = rule.condition if isinstance(rule.condition, Bounds) else None
    if bounds and rule.kind is not CountKind.VALUE_SUM and len(hits) < bounds.least:
        return
    first, last = bisect_left(hits.ats, hit.at), bisect_right(hits.ats, hit.at + span)
    true: list[tuple[Measured, Window]]
    if bounds and rule.kind is CountKind.EVENT_COUNT and hits.ats[last - 1] != hit.at:
        true = _crowded(bounds.least, hits, (first, last), span, every=every)
    else:
        asked = _windows(hits.ats, first, last, span)
        each = ((hits.measure(*window), window) for window in asked)
        true = [one for one in each if rule.condition.holds(one[0])]
    if not true:
        return
    measured, (start, end) = max(true, key=lambda one: _number(one[0]))
    ends = sorted({bisect_left(hits.ats, hits.ats[end - 1]) for _, (_, end) in true})
    told = _told(hits.kept, start, end)
    yield Correlated(
        group=hit.group,
        first=told[0].at,
        last=told[-1].at,
        at=hit.at,
        counted=_number(measured),
        seqs=tuple(one.seq for one in told),
        came=hit.came or hit.seq,
        passed=hit.passed,
        awaited=hit.awaited,
        ends=tuple(hits.kept[index] for index in ends),
    )


def _windows(ats: Sequence[int], first: int, last: int, span: int) -> Iterator[Window]:
    """Yield where the windows begin and end that end at the moments from *first* to *last*."""
    index = first
    while index < last:
        end = bisect_right(ats, ats[index])
        yield bisect_left(ats, ats[index] - span), end
        index = end


def _crowded(
    least: int, hits: Hits, between: Window, span: int, *, every: bool
) -> list[tuple[Measured, Window]]:
    """Return what ``_look`` finds in ``_windows``, for very many of them.

    Unless *every* is wanted, the fullest will do.
    """
    ats = np.frombuffer(hits.ats, np.int64)
    moments = ats[slice(*between)]
    starts = np.searchsorted(ats, moments - span, "left")
    ends = np.searchsorted(ats, moments, "right")
    counted = ends - starts
    best = int(counted.argmax())
    if counted[best] < least:
        return []
    enough = (counted >= least).nonzero()[0] if every else [best]
    return [(int(counted[n]), (int(starts[n]), int(ends[n]))) for n in enough]


class _Decided(NamedTuple):
    """Decides the windows whose end lies from *since* on and before *until*."""

    rule: Correlation
    asked: Asked
    span: int
    since: int
    until: int
    moves: Sequence[Move]
    lag: int

    def of(self, memory: Memory) -> list[Correlated]:
        """Return the windows of all groups that make the rule true, in the order of their ends."""
        wait = 0 if self.asked is Asked.ENDING else self.span
        found = []
        for key, hits in sorted(memory.hits.items()):
            begin = bisect_left(hits.ats, self.since - wait)
            end = bisect_left(hits.ats, self.until - wait)
            for index in range(begin, end):
                due = hits.ats[index] + wait
                if (one := self._ask(key, hits, index, due, memory.lost.get(key))) is not None:
                    found.append((due, key, index, one))
        return [one for *_, one in sorted(found, key=lambda each: each[:3])]

    def _ask(
        self, key: str, hits: Hits, index: int, due: int, lost: int | None
    ) -> Correlated | None:
        """Return the window of the hit *index*, if it makes the rule true.

        Of hits at one moment only the last is asked. What was forgotten leaves a window unasked.
        """
        at = hits.ats[index]
        if index + 1 < len(hits) and hits.ats[index + 1] == at:
            return None
        match self.asked:
            case Asked.ENDING:
                begin, end = bisect_left(hits.ats, at - self.span), index + 1
                if lost is not None and at - self.span <= lost:
                    return None
            case Asked.BEGINNING:
                begin, end = bisect_left(hits.ats, at), bisect_right(hits.ats, due)
            case _:
                begin, end = index + 1, bisect_right(hits.ats, due)
        measured = hits.measure(begin, end)
        if not self.rule.condition.holds(measured):
            return None
        move = self.moves[bisect_right(self.moves, due + self.lag, key=lambda one: one.passed)]
        told = _told(hits.kept, begin, end) or [hits.kept[index]]
        last = told[-1] if end > begin else told[-1]._replace(at=due)
        return Correlated(
            group=tuple(orjson.loads(key)),
            first=told[0].at,
            last=told[-1].at,
            at=last.at,
            counted=_number(measured),
            seqs=tuple(one.seq for one in told),
            came=move.seq,
            passed=move.before,
            awaited=move.before,
            ends=(last,),
        )


def _number(measured: Measured) -> int | Fraction:
    return len(measured) if isinstance(measured, frozenset) else measured or 0


def _told(kept: list[Kept], start: int, end: int) -> list[Kept]:
    """Return what is told of the hits from *start* up to *end*."""
    half = MAX_SEQS // 2
    if end - start <= MAX_SEQS:
        return kept[start:end]
    return kept[start : start + half] + kept[end - half : end]
