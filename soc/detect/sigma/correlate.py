"""Count hits in sliding windows of event time: a pure function with explicit state.

A window is any stretch of event time as long as the rule's timespan, both ends included. Each hit
is looked at once, in the order of ``seq``: if a window that holds it has enough hits of its group,
there is a result, and again for each further hit for which that is true. So nothing depends on
how hits are cut into batches, and a group that has enough gets a result whatever the order is in
which its hits arrive, as long as none is later than the lateness.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import orjson

from soc.detect.sigma.event import Event
from soc.detect.sigma.rule import Correlation, CountKind
from soc.model.value import EPOCH, Utc, Value

MAX_SEQS = 200
MAX_KEPT = 10_000
"""Hits kept of one group; beyond it the oldest go, and a count means "at least"."""

MICROSECOND = timedelta(microseconds=1)


class Seen(NamedTuple):
    """One hit of a rule that is counted.

    group: the values of group-by. value: what is counted, for a value_count. arrived: when it was
    ingested; a hit from the future then moves the watermark no further than that.
    """

    ts: datetime
    seq: int
    group: tuple[str, ...]
    value: str = ""
    arrived: datetime | None = None


class Kept(NamedTuple):
    """A hit as it is remembered; ``at`` in microseconds since 1970."""

    at: int
    seq: int
    value: str


class Counts(Value):
    """What is remembered: the hits of each group that may still count, oldest first.

    watermark: the newest time seen, none of it later than its arrival. too_late: hits older than
    the watermark by more than the lateness, which were not looked at.
    """

    groups: Mapping[str, tuple[Kept, ...]] = {}
    watermark: Utc = EPOCH
    too_late: int = 0


@dataclass(frozen=True, slots=True)
class Correlated:
    """Enough hits of a group in one window.

    count: of hits, or of different values. seqs: of the hits in the window, the first and the last
    hundred if there are more.
    """

    group: tuple[str, ...]
    first: datetime
    last: datetime
    count: int
    seqs: tuple[int, ...]


class _Window(NamedTuple):
    """What a window counts, and which of the kept hits are in it."""

    counted: int
    start: int
    end: int


def see(
    rule: Correlation,
    name: str,
    document: Mapping[str, Any],
    *,
    ts: datetime,
    seq: int,
    arrived: datetime | None = None,
) -> Seen | None:
    """Return the hit of the rule *name* on *document* as *rule* counts it.

    None if the event lacks a field of group-by, or the field that is counted: it is in no group.
    """
    event = Event(document)
    group = _values(rule, name, event, rule.group_by)
    counted = _values(rule, name, event, rule.counted)
    if group is None or counted is None:
        return None
    return Seen(ts, seq, group, _key(counted), arrived)


def correlate(
    rule: Correlation,
    hits: Iterable[Seen],
    state: Counts,
    *,
    lateness: timedelta = timedelta(minutes=10),
) -> tuple[list[Correlated], Counts]:
    """Return what *hits*, on top of *state*, make true, and what to remember."""
    groups = {key: list(kept) for key, kept in state.groups.items()}
    watermark, late, too_late = _micros(state.watermark), lateness // MICROSECOND, state.too_late
    span = rule.timespan // MICROSECOND
    results: list[Correlated] = []
    for hit in sorted(hits, key=lambda hit: hit.seq):
        at = _micros(hit.ts)
        if at < watermark - late:
            too_late += 1
            continue
        watermark = max(watermark, min(at, _micros(hit.arrived or hit.ts)))
        kept = groups.setdefault(_key(hit.group), [])
        del kept[: max(_oldest(kept, watermark - late - span), len(kept) - MAX_KEPT + 1)]
        insort(kept, Kept(at, hit.seq, hit.value))
        window = _fullest(rule, kept, at, span)
        if window.counted >= rule.needs:
            results.append(_result(hit.group, kept, window))
    left = {key: kept[_oldest(kept, watermark - late - span) :] for key, kept in groups.items()}
    remembered = {key: tuple(kept) for key, kept in sorted(left.items()) if kept}
    return results, Counts(groups=remembered, watermark=_moment(watermark), too_late=too_late)


def _fullest(rule: Correlation, kept: list[Kept], at: int, span: int) -> _Window:
    """Return the window that holds *at* and counts most; of equals, the earliest."""
    best = _Window(0, 0, 0)
    end = _oldest(kept, at)
    while end < len(kept) and (newest := kept[end].at) <= at + span:
        start, end = _oldest(kept, newest - span), bisect_right(kept, newest, key=_at)
        count = _count(rule, kept, start, end)
        if count > best.counted:
            best = _Window(count, start, end)
    return best


def _count(rule: Correlation, kept: list[Kept], start: int, end: int) -> int:
    if rule.kind is CountKind.EVENT_COUNT:
        return end - start
    return len({one.value for one in kept[start:end]})


def _result(group: tuple[str, ...], kept: list[Kept], window: _Window) -> Correlated:
    counted, start, end = window
    if end - start > MAX_SEQS:
        told = kept[start : start + MAX_SEQS // 2] + kept[end - MAX_SEQS // 2 : end]
    else:
        told = kept[start:end]
    seqs = tuple(one.seq for one in told)
    return Correlated(group, _moment(told[0].at), _moment(told[-1].at), counted, seqs)


def _values(
    rule: Correlation, name: str, event: Event, fields: tuple[str, ...]
) -> tuple[str, ...] | None:
    """Return the first value of each of *fields*, or None if one has none."""
    found = [event.scalars(rule.aliases.get(field, {}).get(name, field)) for field in fields]
    return tuple(values[0].text for values in found) if all(found) else None


def _oldest(kept: list[Kept], at: int) -> int:
    """Return the index of the first hit that is not older than *at*."""
    return bisect_left(kept, at, key=_at)


def _at(one: Kept) -> int:
    return one.at


def _key(values: tuple[str, ...]) -> str:
    """Return *values* as one text, different for different values."""
    return orjson.dumps(values).decode()


def _micros(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND


def _moment(micros: int) -> datetime:
    return EPOCH + micros * MICROSECOND
