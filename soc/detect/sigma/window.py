"""Windows of event time: which of them a correlation asks, what goes in and what comes out.

A window is a stretch of event time as long as the rule's timespan, both ends included. Which
windows are asked, and when, depends on what makes the condition true:

- *at once*: more hits can only make it true (gt and gte of counts and sums, rules that hit). Each
  hit is looked at once, in the order of ``seq``: if a window that holds it is enough, there is a
  result, and again for each further hit for which that is so. It is not waited for anything.
- *ending* with each hit: numbers that more hits can make false (means, medians, eq, ranges).
- *beginning* with each hit: a rule that must not hit (``a and not b``: no b follows the a).
- *following* each hit, which is not in it: what nothing at all makes true (lt, lte, eq: 0). So the
  silence after the last heartbeat is found, of groups that were seen before.

The last three are decided once, when the watermark (see ``Clocks``) has passed the window's end: of
what came in time, nothing is missing then. A hit from before the watermark comes too late for them.
Hits are taken one by one, each with the watermark as it was when the hit came, so nothing depends
on how hits are cut into batches.

Sums are looked at at once although a negative number may come later: it takes nothing back.
"""

from collections.abc import Mapping
from enum import StrEnum
from fractions import Fraction
from types import MappingProxyType
from typing import NamedTuple

from soc.detect.sigma.memory import Above, Kept
from soc.detect.sigma.rule import Correlation, CountKind
from soc.detect.sigma.threshold import Expression, Measured

MAX_SEQS = 200
RISING = frozenset(CountKind) - {
    CountKind.VALUE_AVG,
    CountKind.VALUE_MEDIAN,
    CountKind.VALUE_PERCENTILE,
}
"""What does not become less by further hits."""
FROM_NOTHING: Mapping[CountKind, Measured] = MappingProxyType(
    {**dict.fromkeys(RISING, 0), CountKind.TEMPORAL: frozenset()}
)
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
    measured. came: with which event it came, if that is another one. passed: the watermark before
    that event. awaited: from when on more is awaited after it. is_late: its own source had gone
    past it by more than the lateness.
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


class Correlated(NamedTuple):
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


def as_number(measured: Measured) -> int | Fraction:
    """Return what was *measured*; of rules, how many there are."""
    return len(measured) if isinstance(measured, frozenset) else measured or 0


def told_of(kept: list[Kept], start: int, end: int) -> list[Kept]:
    """Return what is told of the hits from *start* up to *end*."""
    half = MAX_SEQS // 2
    if end - start <= MAX_SEQS:
        return kept[start:end]
    return kept[start : start + half] + kept[end - half : end]
