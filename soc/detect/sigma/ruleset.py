"""Rules together: show an event to those it is for, and collect what they say."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple

from soc.detect.sigma.condition import Node
from soc.detect.sigma.event import Event
from soc.detect.sigma.logsource import Routes
from soc.detect.sigma.rule import Correlation, Failure, Hit, Rule
from soc.errors import Problem
from soc.model.finding import Match


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

    @cached_property
    def silent(self) -> frozenset[str]:
        """Return the rules that are only counted: their hits are no findings of their own."""
        counted = {name for one in self.correlations for name in one.rules if not one.generate}
        return frozenset(counted)

    def match(self, document: Mapping[str, Any] | Event) -> Outcome:
        """Return the hits of *document*, in the order of the rules.

        A rule that cannot be evaluated is among the errors, and stops no other.
        """
        event = document if isinstance(document, Event) else Event(document)
        outcome = Outcome([], [])
        for rule in self._routes.rules_for(event):
            try:
                if rule.condition.holds(event):
                    outcome.hits.append(Hit(rule, explain(rule.condition, event)))
            except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
                outcome.errors.append(Failure(rule, f"{type(error).__name__}: {error}"))
        return outcome


def explain(condition: Node, event: Event) -> tuple[Match, ...]:
    """Return what made *condition* hold for *event*: each once, without what pipelines added."""
    matches = {
        (match.selection, match.field, match.value): match
        for match in condition.matches(event)
        if match.selection
    }
    return tuple(match for _, match in sorted(matches.items()))
