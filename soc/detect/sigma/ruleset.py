"""Rules together: show an event to those it is for, and collect what they say."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

from soc.detect.sigma.event import Event
from soc.detect.sigma.logsource import Route, Routes
from soc.detect.sigma.rule import Correlation, Failure, Hit, Rule
from soc.errors import Problem

INDIGESTIBLE = (ArithmeticError, LookupError, RecursionError, TypeError, ValueError)
"""What a value may raise: a failure of one rule on one event, which stops nothing else."""


class Outcome(NamedTuple):
    """What an event showed: the rules that hit, and those that could not be evaluated."""

    hits: list[Hit]
    errors: list[Failure]


class Ruleset:
    """What was loaded: rules about events, correlations of them, and what could not be used."""

    def __init__(
        self,
        rules: tuple[Rule, ...],
        correlations: tuple[Correlation, ...] = (),
        failed: tuple[Problem, ...] = (),
        pipelines: tuple[str, ...] = (),
    ) -> None:
        self.rules = rules
        self.correlations = correlations
        self.failed = failed
        self.pipelines = pipelines
        self._routes = Routes(rules)
        self._places = {rule.name: place for place, rule in enumerate(rules)}

    @cached_property
    def silent(self) -> frozenset[str]:
        """Return the rules that are only counted: their hits are no findings of their own."""
        counted = {name for one in self.correlations for name in one.rules if not one.generate}
        return frozenset(counted)

    def match(self, document: Mapping[str, Any]) -> Outcome:
        """Return the hits of *document*, in the order of the rules.

        A rule that cannot be evaluated is among the errors, and stops no other.
        """
        event = Event(document)
        partition = self._routes.route_of(event).partition
        try:
            rules, is_open = partition.decide(document)
        except INDIGESTIBLE:
            return self.plainly(event)
        if not is_open:
            return Outcome([Hit(rule, event) for rule in rules], [])
        outcome = self._ask(is_open, event)
        hits = [*outcome.hits, *(Hit(rule, event) for rule in rules)]
        hits.sort(key=lambda hit: self._places[hit.rule.name])
        return Outcome(hits, outcome.errors)

    def route_of(self, document: Mapping[str, Any]) -> Route:
        """Return which rules are for events like *document*, and what was seen of such events."""
        return self._routes.route_of(Event(document))

    def plainly(self, event: Event) -> Outcome:
        """Return what ``match`` does, the plain way: each rule is asked about *event*."""
        return self._ask(self._routes.route_of(event).rules, event)

    def _ask(self, rules: Iterable[Rule], event: Event) -> Outcome:
        outcome = Outcome([], [])
        for rule in rules:
            try:
                if rule.condition.holds(event):
                    outcome.hits.append(Hit(rule, event))
            except INDIGESTIBLE as error:
                outcome.errors.append(Failure(rule, f"{type(error).__name__}: {error}"))
        return outcome
