"""Measure what rules cost: of some events, how long each rule takes that is asked by itself.

The engine asks all rules together, so this says which of them are heavy, not how long a scan takes.
"""

from collections import Counter
from collections.abc import Callable, Iterable

from soc.detect.sigma.event import Event
from soc.detect.sigma.rule import Rule
from soc.detect.sigma.ruleset import INDIGESTIBLE

TIMES = 5
"""How often a rule is asked about an event, after once to find its fields."""

Timer = Callable[[], float]
"""Tells how many CPU seconds were used."""


class Scales:
    """Weighs one of so many events as *every*."""

    def __init__(self, timer: Timer, every: int) -> None:
        self._timer, self._every = timer, max(every, 1)
        self._shown = 0
        self._spent: Counter[str] = Counter()

    def see(self, rules: Iterable[Rule], event: Event) -> None:
        """Show an event to the *rules* that it is for."""
        self._shown += 1
        if (self._shown - 1) % self._every == 0:
            for rule in rules:
                self._weigh(rule, event)

    def shares(self) -> dict[str, float]:
        """Return for each rule that was weighed its share of what all took."""
        whole = self._spent.total()
        return {name: spent / whole if whole else 0.0 for name, spent in self._spent.items()}

    def _weigh(self, rule: Rule, event: Event) -> None:
        holds = rule.condition.holds
        try:
            holds(event)
        except INDIGESTIBLE:
            return
        began = self._timer()
        for _ in range(TIMES):
            holds(event)
        self._spent[rule.name] += self._timer() - began  # type: ignore[assignment]  # seconds
