"""All correlations of a ruleset: which of them count a hit, and each other."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from soc.detect.sigma.clocks import Move
from soc.detect.sigma.correlate import correlate, key_of
from soc.detect.sigma.event import Event
from soc.detect.sigma.memory import Above, Counts
from soc.detect.sigma.rule import Correlation, CountKind
from soc.detect.sigma.text import exactly
from soc.detect.sigma.threshold import shown
from soc.detect.sigma.window import Asked, Correlated, Seen, asked_of
from soc.model.finding import Match
from soc.model.value import MICROSECOND, bounded

RULES = frozenset({CountKind.TEMPORAL, CountKind.TEMPORAL_ORDERED})
AMOUNTS = frozenset(
    {
        CountKind.VALUE_SUM,
        CountKind.VALUE_AVG,
        CountKind.VALUE_MEDIAN,
        CountKind.VALUE_PERCENTILE,
    }
)


class Place(NamedTuple):
    """Where an event stands among others; times in microseconds since 1970.

    at: when it happened. passed: the watermark before it came. awaited: from when on more is
    awaited after it. is_late: its own source had gone past it by more than the lateness.
    """

    at: int
    seq: int
    passed: int = 0
    awaited: int = 0
    is_late: bool = False


class Chain:
    """Correlations, those that are counted by others before these."""

    def __init__(self, correlations: Sequence[Correlation]) -> None:
        self.correlations = tuple(correlations)
        self._counting: defaultdict[str, list[Correlation]] = defaultdict(list)
        self._lags: dict[str, int] = {}
        self._delays: dict[str, int] = {}
        for one in self.correlations:
            lag = max((self._delays.get(name, 0) for name in one.rules), default=0)
            waits = asked_of(one) in (Asked.BEGINNING, Asked.FOLLOWING)
            self._lags[one.name] = lag
            self._delays[one.name] = lag + (one.timespan // MICROSECOND if waits else 0)
            for name in one.rules:
                self._counting[name].append(one)

    def __bool__(self) -> bool:
        return bool(self.correlations)

    def counting(self, name: str) -> Sequence[Correlation]:
        """Return the correlations that count the rule *name*."""
        return self._counting.get(name, ())

    def see(self, one: Correlation, name: str, event: Event, place: Place) -> Seen | None:
        """Return the hit of the rule *name* on *event* as *one* counts it.

        None if the event lacks a field of group-by, or the field that is measured: it is in no
        group. Raises ValueError for what is to be added up and is no number.
        """
        counted = _counted(one, name, event)
        if counted is None:
            return None
        at, seq, passed, awaited, is_late = place
        above = tuple(self._above(one.name, event))
        return Seen(at, seq, *counted, above, seq, passed, awaited, is_late)

    def _above(self, name: str, event: Event) -> Iterator[Above]:
        for one in self.counting(name):
            if counted := _counted(one, name, event):
                yield Above(one.name, name, *counted)
            yield from self._above(one.name, event)

    def settle(
        self,
        seen: Mapping[str, Sequence[Seen]],
        counts: Mapping[str, Counts],
        moves: Sequence[Move],
        order: Mapping[int, int] = {},
    ) -> tuple[list[tuple[Correlation, Correlated]], dict[str, Counts]]:
        """Return what is true by *seen*, the hits of each correlation, and what to remember.

        The results of a correlation are hits for those that count it, when its last event happened.
        order: where each event came, by its number, if they did not come in the order of these.
        """
        made: defaultdict[str, list[Seen]] = defaultdict(list)
        told: list[tuple[Correlation, Correlated]] = []
        kept: dict[str, Counts] = {}
        for one in self.correlations:
            name, old = one.name, counts.get(one.name, Counts())
            hits = sorted(
                [*made[name], *seen.get(name, ())], key=lambda hit: order.get(hit.came, hit.came)
            )
            results, kept[name] = correlate(
                one,
                hits,
                old,
                moves=moves,
                lag=self._lags[name],
                is_counted=bool(self.counting(name)),
            )
            told += [(one, result) for result in results]
            for result in results:
                for above, hit in _hits_of(name, result):
                    made[above].append(hit)
        return told, kept

    def waits(self, counts: Mapping[str, Counts]) -> bool:
        """Return whether by *counts* something is remembered that time alone may decide."""
        return any(
            asked_of(one) is not Asked.AT_ONCE and counts.get(one.name, Counts()).groups
            for one in self.correlations
        )


def matches_of(one: Correlation, result: Correlated) -> tuple[Match, ...]:
    """Return what made *one* true: the group, and what was measured."""
    field = ", ".join(one.counted) or ("rules" if one.kind in RULES else "events")
    measured = Match(selection=str(one.kind), field=field, value=shown(result.counted))
    group = zip(one.group_by, result.group, strict=True)
    matches = (Match(selection="group-by", field=name, value=value) for name, value in group)
    return (*matches, measured)


def _hits_of(name: str, result: Correlated) -> Iterator[tuple[str, Seen]]:
    for end in result.ends:
        for above in end.above:
            if above.via == name:
                hit = Seen(end.at, end.seq, above.group, above.value, end.above)
                known = (result.came, result.passed, result.awaited)
                yield above.rule, hit._replace(came=known[0], passed=known[1], awaited=known[2])


def _counted(rule: Correlation, name: str, event: Event) -> tuple[tuple[str, ...], str] | None:
    """Return the group of the rule *name* on *event*, and what *rule* measures, if it has both."""
    group = _values(rule, name, event, rule.group_by)
    if group is None:
        return None
    if rule.kind in RULES:
        return group, name
    if rule.kind in AMOUNTS:
        amount = _amount(rule, name, event)
        return None if amount is None else (group, str(amount))
    if not rule.counted:
        return group, ""
    values = _values(rule, name, event, rule.counted)
    return None if values is None else (group, key_of(values))


def _values(
    rule: Correlation, name: str, event: Event, fields: tuple[str, ...]
) -> tuple[str, ...] | None:
    """Return the first value of each of *fields*, or None if one has none."""
    found = [event.scalars(_field(rule, name, field)) for field in fields]
    return tuple(bounded(values[0].text) for values in found) if all(found) else None


def _amount(rule: Correlation, name: str, event: Event) -> Fraction | None:
    field = _field(rule, name, rule.counted[0])
    found = event.scalars(field)
    if not found:
        return None
    amount = exactly(found[0].raw)
    if amount is None:
        raise ValueError(f"{field} is no number: {bounded(found[0].text)[:40]!r}")
    return amount


def _field(rule: Correlation, name: str, field: str) -> str:
    return rule.aliases.get(field, {}).get(name, field)
