"""Count hits in sliding windows of event time: a pure function with explicit state.

A window is any stretch of event time as long as the rule's timespan, both ends included. Each hit
is looked at once, in the order of ``seq``: if a window that holds it has enough hits of its group,
there is a result, and again for each further hit for which that is true. So nothing depends on
how hits are cut into batches, and a group that has enough gets a result whatever the order is in
which its hits arrive, as long as none is later than the lateness behind its own source. A source
that is behind the others is waited for, until it is silent.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import orjson

from soc.detect.sigma.event import Event
from soc.detect.sigma.memory import Clocks, Counts, Hits, Kept, Memory
from soc.detect.sigma.rule import Correlation, CountKind
from soc.model.value import MICROSECOND, bounded, micros, moment_of

MAX_SEQS = 200


class Seen(NamedTuple):
    """One hit of a rule that is counted.

    group: the values of group-by. value: what is counted, for a value_count. arrived: when it was
    ingested; a hit from the future happened no later than that. source: who sent it.
    """

    ts: datetime
    seq: int
    group: tuple[str, ...]
    value: str = ""
    arrived: datetime | None = None
    source: str = ""


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
    document: Mapping[str, Any] | Event,
    *,
    ts: datetime,
    seq: int,
    arrived: datetime | None = None,
    source: str = "",
) -> Seen | None:
    """Return the hit of the rule *name* on *document* as *rule* counts it.

    None if the event lacks a field of group-by, or the field that is counted: it is in no group.
    """
    event = document if isinstance(document, Event) else Event(document)
    group = _values(rule, name, event, rule.group_by)
    counted = _values(rule, name, event, rule.counted)
    if group is None or counted is None:
        return None
    return Seen(ts, seq, group, _key(counted), arrived, bounded(source))


def correlate(
    rule: Correlation,
    hits: Iterable[Seen],
    state: Counts,
    *,
    lateness: timedelta = timedelta(minutes=10),
) -> tuple[list[Correlated], Counts]:
    """Return what *hits*, on top of *state*, make true, and what to remember."""
    late, span = lateness // MICROSECOND, rule.timespan // MICROSECOND
    clocks, memory, too_late = Clocks(state.sources, lateness), Memory(state), state.too_late
    results: list[Correlated] = []
    for hit in sorted(hits, key=lambda hit: hit.seq):
        arrived = hit.arrived or hit.ts
        happened = min(hit.ts, arrived)
        if clocks.is_too_late(hit.source, happened):
            too_late += 1
            continue
        slowest = clocks.hear(hit.source, happened, arrived)
        memory.forget(micros(slowest) - late - span)
        at = micros(happened)
        kept = memory.keep(_key(hit.group), Kept(at, hit.seq, hit.value))
        if len(kept) < rule.needs:
            continue
        window = _fullest(rule, kept, at, span)
        if window.counted >= rule.needs:
            results.append(_result(hit.group, kept.kept, window))
    return results, Counts(
        groups=memory.groups(),
        sources=clocks.kept(),
        too_late=too_late,
        left_out=memory.left_out,
    )


def _fullest(rule: Correlation, hits: Hits, at: int, span: int) -> _Window:
    """Return the window that holds *at* and counts most; of equals, the earliest."""
    first, last = bisect_left(hits.ats, at), bisect_right(hits.ats, at + span)
    if hits.ats[last - 1] == at:
        starts, ends = np.array([bisect_left(hits.ats, at - span)]), np.array([last])
    else:
        ats = np.frombuffer(hits.ats, np.int64)
        starts = np.searchsorted(ats, ats[first:last] - span, "left")
        ends = np.searchsorted(ats, ats[first:last], "right")
    if rule.kind is CountKind.VALUE_COUNT:
        counted = np.array(_values_in(hits.kept, starts.tolist(), ends.tolist()))
    else:
        counted = ends - starts
    best = int(counted.argmax())
    return _Window(int(counted[best]), int(starts[best]), int(ends[best]))


def _values_in(kept: list[Kept], starts: list[int], ends: list[int]) -> list[int]:
    """Return how many different values each window has; windows move forward."""
    if len(starts) == 1:
        return [len({one.value for one in kept[starts[0] : ends[0]]})]
    inside = Counter(one.value for one in kept[starts[0] : ends[0]])
    counts, begin, end = [len(inside)], starts[0], ends[0]
    for start, stop in zip(starts[1:], ends[1:], strict=True):
        inside.update(one.value for one in kept[end:stop])
        for one in kept[begin:start]:
            inside[one.value] -= 1
            if not inside[one.value]:
                del inside[one.value]
        begin, end = start, stop
        counts.append(len(inside))
    return counts


def _result(group: tuple[str, ...], kept: list[Kept], window: _Window) -> Correlated:
    counted, start, end = window
    if end - start > MAX_SEQS:
        told = kept[start : start + MAX_SEQS // 2] + kept[end - MAX_SEQS // 2 : end]
    else:
        told = kept[start:end]
    seqs = tuple(one.seq for one in told)
    return Correlated(group, moment_of(told[0].at), moment_of(told[-1].at), counted, seqs)


def _values(
    rule: Correlation, name: str, event: Event, fields: tuple[str, ...]
) -> tuple[str, ...] | None:
    """Return the first value of each of *fields*, or None if one has none."""
    found = [event.scalars(rule.aliases.get(field, {}).get(name, field)) for field in fields]
    return tuple(bounded(values[0].text) for values in found) if all(found) else None


def _key(values: tuple[str, ...]) -> str:
    """Return *values* as one text, different for different values."""
    return orjson.dumps(values).decode()
