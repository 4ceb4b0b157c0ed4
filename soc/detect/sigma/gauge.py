"""What is measured in a window: hits come in at its end and go out at its beginning.

Numbers are exact fractions: an amount of 78 digits and a hundredth are told apart.
"""

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import partial
from types import MappingProxyType
from typing import Protocol

from soc.detect.sigma.rule import Correlation, CountKind
from soc.detect.sigma.threshold import Expression, Measured, Way


class Gauge(Protocol):
    """Measures a window as it moves on."""

    def add(self, at: int, value: str) -> None:
        """Let a hit in: none that is older comes later."""

    def drop(self, at: int, value: str) -> None:
        """Let the oldest hit out."""

    def read(self) -> Measured:
        """Return what the window comes to."""


class Hitting:
    """Counts hits."""

    def __init__(self) -> None:
        self._count = 0

    def add(self, at: int, value: str) -> None:  # noqa: ARG002 - as Gauge, and so below
        """Count one more."""
        self._count += 1

    def drop(self, at: int, value: str) -> None:  # noqa: ARG002
        """Count one less."""
        self._count -= 1

    def read(self) -> Measured:
        """Return the number of hits."""
        return self._count


class Different:
    """Tells different values apart."""

    def __init__(self) -> None:
        self._values: Counter[str] = Counter()

    def add(self, at: int, value: str) -> None:  # noqa: ARG002
        """Note one more of this value."""
        self._values[value] += 1

    def drop(self, at: int, value: str) -> None:  # noqa: ARG002
        """Note one less of this value."""
        self._values[value] -= 1
        if not self._values[value]:
            del self._values[value]

    def read(self) -> Measured:
        """Return how many different values there are."""
        return len(self._values)


class Together(Different):
    """Tells which rules hit."""

    def read(self) -> Measured:
        """Return the rules."""
        return frozenset(self._values)


class InOrder:
    """Tells which rules hit one after the other; at one moment, any order is the right one."""

    def __init__(self, rules: tuple[str, ...], ways: tuple[Way, ...]) -> None:
        self._rules = rules
        self._ways = [[rule for rule in rules if rule in way.present] for way in ways]
        self._times: dict[str, list[int]] = {rule: [] for rule in rules}

    def add(self, at: int, value: str) -> None:
        """Note when the rule *value* hit."""
        self._times[value].append(at)

    def drop(self, at: int, value: str) -> None:  # noqa: ARG002
        """Forget the first hit of the rule *value*."""
        del self._times[value][0]

    def read(self) -> Measured:
        """Return the rules of a way that is in order; without ways, the length of the longest."""
        if self._ways:
            found = next((way for way in self._ways if self._follows(way)), [])
            return frozenset(found)
        return self._longest()

    def _follows(self, rules: list[str]) -> bool:
        """Return whether *rules* hit in this order: each at the latest moment that is left."""
        latest: int | None = None
        for rule in reversed(rules):
            latest = self._before(rule, latest)
            if latest is None:
                return False
        return True

    def _before(self, rule: str, moment: int | None) -> int | None:
        """Return when *rule* hit last, not after *moment*."""
        times = self._times[rule]
        index = len(times) if moment is None else bisect_right(times, moment)
        return times[index - 1] if index else None

    def _longest(self) -> int:
        """Return the most rules in order: per length, the latest moment at which such may begin."""
        begins: list[int] = []
        for rule in reversed(self._rules):
            starts = [self._before(rule, moment) for moment in (None, *begins)]
            for length, start in enumerate(starts):
                if start is None:
                    continue
                if length == len(begins):
                    begins.append(start)
                else:
                    begins[length] = max(begins[length], start)
        return len(begins)


class Total:
    """Adds numbers up."""

    def __init__(self) -> None:
        self._sum = Fraction(0)
        self._count = 0

    def add(self, at: int, value: str) -> None:  # noqa: ARG002
        """Add a number."""
        self._sum += Fraction(value)
        self._count += 1

    def drop(self, at: int, value: str) -> None:  # noqa: ARG002
        """Take a number away."""
        self._sum -= Fraction(value)
        self._count -= 1

    def read(self) -> Measured:
        """Return the sum."""
        return self._sum


class Mean(Total):
    """Adds numbers up and shares them out."""

    def read(self) -> Measured:
        """Return the mean, or None of no numbers."""
        return self._sum / self._count if self._count else None


class Rank:
    """Keeps numbers in order."""

    def __init__(self, percentile: int) -> None:
        self._percentile = percentile
        self._numbers: list[Fraction] = []

    def add(self, at: int, value: str) -> None:  # noqa: ARG002
        """Put a number where it belongs."""
        insort(self._numbers, Fraction(value))

    def drop(self, at: int, value: str) -> None:  # noqa: ARG002
        """Take a number out."""
        del self._numbers[bisect_left(self._numbers, Fraction(value))]

    def read(self) -> Measured:
        """Return the percentile, interpolated between its two neighbours; None of no numbers."""
        if not self._numbers:
            return None
        whole, part = divmod((len(self._numbers) - 1) * self._percentile, 100)
        low = self._numbers[whole]
        high = self._numbers[min(whole + 1, len(self._numbers) - 1)]
        return low + (high - low) * Fraction(part, 100)


SIMPLE: Mapping[CountKind, Callable[[], Gauge]] = MappingProxyType(
    {
        CountKind.EVENT_COUNT: Hitting,
        CountKind.VALUE_COUNT: Different,
        CountKind.TEMPORAL: Together,
        CountKind.VALUE_SUM: Total,
        CountKind.VALUE_AVG: Mean,
        CountKind.VALUE_MEDIAN: partial(Rank, 50),
    }
)


def gauge_of(rule: Correlation) -> Callable[[], Gauge]:
    """Return what makes gauges for *rule*."""
    if rule.kind is CountKind.TEMPORAL_ORDERED:
        ways = rule.condition.ways if isinstance(rule.condition, Expression) else ()
        return partial(InOrder, rule.rules, ways)
    return SIMPLE.get(rule.kind, partial(Rank, rule.percentile))
