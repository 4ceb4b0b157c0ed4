"""Say which rules can hit at all, judged by events that were really there.

A rule is ``active`` if it hit one of them; ``quiet`` if it might have; ``dead`` if, with what these
events have, it could not: it is no use to anybody, and nobody would notice.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from soc.detect.sigma.engine.tree import All, Hits, Leaf, Maybe, Nor, Tree
from soc.detect.sigma.engine.tree import Any as AnyOf
from soc.detect.sigma.event import Event
from soc.detect.sigma.logsource import Route
from soc.detect.sigma.rule import About, Correlation
from soc.detect.sigma.ruleset import Ruleset
from soc.detect.sigma.weigh import Scales

DAY = timedelta(days=1)


class State(StrEnum):
    """What events showed of a rule."""

    ACTIVE = "active"
    QUIET = "quiet"
    DEAD = "dead"


class Health(NamedTuple):
    """What events showed of one rule.

    events: those of its log source. why: it cannot hit. a_day: hits a day, over the time of all
    events that were shown, of at least one day. share: of what all rules cost, as ``weigh`` has it;
    None if that was not measured.
    """

    about: About
    state: State
    events: int
    hits: int
    errors: int
    last_hit: datetime | None
    why: tuple[str, ...]
    a_day: float = 0.0
    share: float | None = None


@dataclass(slots=True)
class _Seen:
    """What the events of a rule's log source had. ever: questions that one answered with yes."""

    tree: Tree | None = None
    events: int = 0
    ever: set[int] = field(default_factory=set)
    fields: set[str] = field(default_factory=set)


class Examiner:
    """Shows events to rules, and then says what that showed of the rules.

    scales: weigh the rules meanwhile.
    """

    def __init__(self, ruleset: Ruleset, scales: Scales | None = None) -> None:
        self._ruleset, self._scales = ruleset, scales
        self._oldest = self._newest = datetime.min.replace(tzinfo=UTC)
        self._routes: Counter[Route] = Counter()
        self._hits: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()
        self._last: dict[str, datetime] = {}

    def see(self, document: Mapping[str, Any], ts: datetime) -> None:
        """Show one event, which happened at *ts*."""
        outcome, route = self._ruleset.match(document), self._ruleset.route_of(document)
        self._oldest = min(self._oldest, ts) if self._routes else ts
        self._newest = max(self._newest, ts)
        self._routes[route] += 1
        if self._scales:
            self._scales.see(route.rules, Event(document))
        self._errors.update(failure.rule.name for failure in outcome.errors)
        for hit in outcome.hits:
            name = hit.rule.name
            self._hits[name] += 1
            self._last[name] = max(self._last.get(name, ts), ts)

    def report(self) -> list[Health]:
        """Return what was seen of every rule, and of every correlation by the rules it counts."""
        seen, shares = self._seen(), self._scales.shares() if self._scales else {}
        rules = [
            self._of(rule, seen.get(rule.name, _Seen()))._replace(share=shares.get(rule.name))
            for rule in self._ruleset.rules
        ]
        states = {one.about.name: one.state for one in rules}
        counting: list[Health] = []
        for one in self._ruleset.correlations:
            counting.append(_counting(one, states))
            states[one.name] = counting[-1].state
        return [*rules, *counting]

    def _seen(self) -> dict[str, _Seen]:
        seen: dict[str, _Seen] = {}
        for route, events in self._routes.items():
            told = route.partition.told()
            for judged in route.partition.rules:
                one = seen.setdefault(judged.rule.name, _Seen())
                one.tree = judged.tree
                one.events += events
                one.ever |= told.ever
                one.fields |= told.fields
        return seen

    def _of(self, about: About, seen: _Seen) -> Health:
        name = about.name
        state, why = State.QUIET, tuple[str, ...]()
        if self._hits[name]:
            state = State.ACTIVE
        elif seen.tree is None:
            state, why = State.DEAD, ("no event of its log source",)
        elif seen.tree.holds(frozenset(seen.ever), told=None) is False:
            state = State.DEAD
            why = tuple(sorted(set(_reasons(seen.tree, frozenset(seen.ever), seen.fields))))
        hits, errors = self._hits[name], self._errors[name]
        days = max((self._newest - self._oldest) / DAY, 1.0)
        last = self._last.get(name)
        return Health(about, state, seen.events, hits, errors, last, why, hits / days)


def _counting(one: Correlation, states: Mapping[str, State]) -> Health:
    counted = [states.get(name, State.QUIET) for name in one.rules]
    dead = tuple(f"it counts {n}, which is dead" for n in one.rules if states.get(n) is State.DEAD)
    state = State.DEAD if len(dead) == len(counted) else State.QUIET
    return Health(one, state, 0, 0, 0, None, dead)


def _reasons(tree: Tree, ever: Hits, fields: set[str]) -> Iterator[str]:
    """Yield why *tree* cannot hold: what of it never did."""
    match tree:
        case Leaf() if tree.field not in fields:
            yield f"no event has {tree.field}"
        case Leaf():
            yield f"{tree.field} was never what it asks for"
        case Maybe():
            yield tree.why_not
        case All() | AnyOf():
            for part in tree.parts:
                if part.holds(ever, told=None) is False:
                    yield from _reasons(part, ever, fields)
        case Nor():
            yield "what it excludes is always there"
