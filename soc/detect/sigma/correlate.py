"""Measure hits in windows: a pure function with explicit state."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter

import numpy as np
import orjson

from soc.detect.sigma.bulk import Bulk
from soc.detect.sigma.clocks import Move
from soc.detect.sigma.decide import Decided
from soc.detect.sigma.gauge import gauge_of
from soc.detect.sigma.memory import Counts, Hits, Kept, Memory
from soc.detect.sigma.packed import pack
from soc.detect.sigma.rule import Correlation, CountKind
from soc.detect.sigma.threshold import Bounds, Measured
from soc.detect.sigma.window import Asked, Correlated, Seen, as_number, asked_of, told_of
from soc.model.value import MICROSECOND

MANY = 500
"""Of fewer hits, each is looked at."""
IS_LATE = Seen._fields.index("is_late")
Window = tuple[int, int]
"""Of the hits of a group, the first that is in it, and the first after it."""


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

    hits: in the order in which they came. moves: of the watermark, meanwhile. lag: how much later
    than the watermark, in microseconds, what is counted may be known. is_counted: by other
    correlations, which must be told of all windows that became true.
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
        decided = Decided(rule, asked, span, state.passed, passed, moves, lag)
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
    if not isinstance(rule.condition, Bounds):
        return None
    old = pack(state.groups)
    if old is None or any(map(itemgetter(IS_LATE), hits)):
        return None
    bulk = Bulk(hits, old, span, lag + span)
    if not bulk.is_exact:
        return None
    left = bulk.left()
    known = set(left) if state.lost else frozenset[str]()
    counts = Counts.model_construct(
        groups=left,
        lost={key: at for key, at in state.lost.items() if key in known},
        passed=state.passed,
        too_late=state.too_late,
        left_out=state.left_out,
    )
    return bulk.crowds(rule.condition.least), counts


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
    measured, (start, end) = max(true, key=lambda one: as_number(one[0]))
    ends = sorted({bisect_left(hits.ats, hits.ats[end - 1]) for _, (_, end) in true})
    told = told_of(hits.kept, start, end)
    yield Correlated(
        group=hit.group,
        first=told[0].at,
        last=told[-1].at,
        at=hit.at,
        counted=as_number(measured),
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
