"""What a correlation asks of what it measures: numbers to keep to, or which rules hit."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

from soc.detect.sigma.predicate import Order

Measured = int | Fraction | frozenset[str] | None
"""A number, or the rules that hit; None where there is nothing to measure."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Numbers that what is measured must keep to, all of them; of rules, their number counts."""

    bounds: tuple[tuple[Order, Fraction], ...]

    @property
    def rises(self) -> bool:
        """Return whether more can only make it true."""
        return all(order in (Order.GT, Order.GTE) for order, _ in self.bounds)

    @property
    def least(self) -> int:
        """Return the first whole number that holds, if the bounds rise."""
        each = [floor(b) + 1 if order is Order.GT else ceil(b) for order, b in self.bounds]
        return max(each)

    def holds(self, measured: Measured) -> bool:
        """Return whether *measured* keeps to all bounds."""
        if measured is None:
            return False
        number = len(measured) if isinstance(measured, frozenset) else measured
        return all(order.holds(number, bound) for order, bound in self.bounds)


class Way(NamedTuple):
    """One way in which an expression becomes true: rules that hit, and rules that did not."""

    present: frozenset[str]
    absent: frozenset[str]


@dataclass(frozen=True, slots=True)
class Expression:
    """Rules joined by ``and``, ``or`` and ``not``: true in one of these ways."""

    ways: tuple[Way, ...]

    @property
    def rises(self) -> bool:
        """Return whether more hits can only make it true."""
        return not any(way.absent for way in self.ways)

    def holds(self, measured: Measured) -> bool:
        """Return whether the rules *measured* are those of one way."""
        if not isinstance(measured, frozenset):
            return False
        return any(w.present <= measured and not w.absent & measured for w in self.ways)


def shown(number: int | Fraction) -> str:
    """Return *number* as decimal text, rounded to a millionth if it has no end."""
    if number == int(number):
        return str(int(number))
    sign, (whole, rest) = "-" * (number < 0), divmod(abs(round(Fraction(number) * 10**6)), 10**6)
    return f"{sign}{whole}.{rest:06}".rstrip("0")


Condition = Bounds | Expression
