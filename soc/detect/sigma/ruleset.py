"""Rules together: show an event to those it is for, and collect what they say."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import orjson

from soc.detect.sigma.engine.hyper import Databases
from soc.detect.sigma.engine.partition import NOTHING, Decided, Partition
from soc.detect.sigma.engine.written import Written
from soc.detect.sigma.event import Document, Event
from soc.detect.sigma.lanes import Group, Lane, Lanes
from soc.detect.sigma.logsource import Route, Routes
from soc.detect.sigma.rule import Correlation, Failure, Hit, Rule
from soc.errors import Problem

TOGETHER = 1_000
"""Events that are matched at once."""
INDIGESTIBLE = (ArithmeticError, LookupError, RecursionError, TypeError, ValueError)
"""What a value may raise: a failure of one rule on one event, which stops nothing else."""


class Outcome(NamedTuple):
    """What an event showed: the rules that hit, and those that could not be evaluated."""

    hits: Sequence[Hit]
    errors: Sequence[Failure]


SILENCE = Outcome((), ())


class Ruleset:
    """What was loaded: rules about events, correlations of them, and what could not be used."""

    def __init__(
        self,
        rules: tuple[Rule, ...],
        correlations: tuple[Correlation, ...] = (),
        failed: tuple[Problem, ...] = (),
        pipelines: tuple[str, ...] = (),
        databases: Databases | None = None,
    ) -> None:
        self.rules = rules
        self.correlations = correlations
        self.failed = failed
        self.pipelines = pipelines
        self._routes = Routes(rules, databases, pipelines)
        self.origin = self._routes.origin
        self._lanes = Lanes(self._routes)
        self._places = {rule.name: place for place, rule in enumerate(rules)}

    @cached_property
    def silent(self) -> frozenset[str]:
        """Return the rules that are only counted: their hits are no findings of their own."""
        counted = {name for one in self.correlations for name in one.rules if not one.generate}
        return frozenset(counted)

    def only(self, name: str) -> "Ruleset":
        """Return the rule *name* alone, with all that it counts; raises KeyError."""
        rules = {rule.name: rule for rule in self.rules}
        correlations = {one.name: one for one in self.correlations}
        wanted, waiting = set[str](), [name]
        while waiting:
            one = waiting.pop()
            if one not in wanted:
                wanted.add(one)
                waiting += correlations[one].rules if one in correlations else ()
        if name not in rules and name not in correlations:
            raise KeyError(name)
        return Ruleset(
            tuple(rule for rule in self.rules if rule.name in wanted),
            tuple(one for one in self.correlations if one.name in wanted),
            pipelines=self.pipelines,
        )

    def match(self, document: Mapping[str, Any]) -> Outcome:
        """Return the hits of *document*, in the order of the rules.

        A rule that cannot be evaluated is among the errors, and stops no other.
        """
        event = Event(document)
        partition = self._routes.route_of(event).partition
        try:
            decided = partition.decide(document)
        except INDIGESTIBLE:
            return self.plainly(event)
        return self._outcome(event, decided)

    def match_all(
        self, documents: Sequence[Document], texts: Sequence[bytes] | None = None
    ) -> list[Outcome]:
        """Return what ``match`` does for each of *documents*: together they cost a tenth.

        texts: what they were written as, in JSON, if that is known. Show some thousand at a time.
        """
        return self.match_each(documents, texts, documents.__getitem__, len(documents))

    def match_texts(self, texts: Sequence[bytes]) -> list[Outcome]:
        """Return what ``match`` does for each of *texts*, events in JSON: no event is kept."""
        events = map(orjson.loads, texts)
        return self.match_each(events, texts, lambda place: orjson.loads(texts[place]), len(texts))

    def match_each(
        self,
        documents: Iterable[Document | None],
        texts: Sequence[bytes] | None,
        read: Callable[[int], Document],
        size: int,
    ) -> list[Outcome]:
        """Return what ``match`` does for each of so many *documents* as *size*.

        read: gives one of them again. None stands for one that is not there: it is silent.
        """
        outcomes = [SILENCE] * size
        odd: list[int] = []
        for lane, group in self._lanes.sort(documents):
            decided = _decided(lane, group, texts, read)
            if decided is None:
                odd += group.places
                continue
            for place, one in zip(group.places, decided, strict=True):
                if one is not NOTHING:
                    outcomes[place] = self._outcome(Event(read(place)), one)
        for place in odd:
            outcomes[place] = self.match(read(place))
        return outcomes

    def match_stored(self, raws: Sequence[str]) -> Iterator[Outcome]:
        """Yield what ``match`` does for each of *raws*, events as they are stored."""
        for begin in range(0, len(raws), TOGETHER):
            yield from self.match_texts([raw.encode() for raw in raws[begin : begin + TOGETHER]])

    def _outcome(self, event: Event, decided: Decided) -> Outcome:
        rules, is_open = decided
        hits = [Hit(rule, event) for rule in rules]
        if not is_open:
            return Outcome(hits, ())
        asked = self._ask(is_open, event)
        hits += asked.hits
        hits.sort(key=lambda hit: self._places[hit.rule.name])
        return Outcome(hits, asked.errors)

    def route_of(self, document: Mapping[str, Any]) -> Route:
        """Return which rules are for events like *document*, and what was seen of such events."""
        return self._routes.route_of(Event(document))

    @property
    def whole(self) -> Partition:
        """What decides about all rules, as if an event might be from anywhere."""
        return self._routes.whole

    @property
    def telling(self) -> frozenset[str]:
        """Return fields of which one must say something if any rule holds; empty if none must."""
        return self._routes.telling

    def plainly(self, event: Event) -> Outcome:
        """Return what ``match`` does, the plain way: each rule is asked about *event*."""
        return self._ask(self._routes.route_of(event).rules, event)

    def _ask(self, rules: Iterable[Rule], event: Event) -> Outcome:
        hits, errors = [], []
        for rule in rules:
            try:
                if rule.condition.holds(event):
                    hits.append(Hit(rule, event))
            except INDIGESTIBLE as error:
                errors.append(Failure(rule, f"{type(error).__name__}: {error}"))
        return Outcome(hits, errors)


def _decided(
    lane: Lane, group: Group, texts: Sequence[bytes] | None, read: Callable[[int], Document]
) -> list[Decided] | None:
    """Return what is decided about *group*, or None if each event must be asked by itself."""
    values = lane.values(group.rows)
    if lane.partition is None or values is None:
        return None
    some = texts and [texts[place] for place in group.places]
    try:
        return lane.partition.decide_all(values, Written(group.places, some, read))
    except INDIGESTIBLE:
        return None
