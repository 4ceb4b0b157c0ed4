"""What a rule may ask of one value. Each predicate is a frozen value with one question.

Several needles in one predicate mean: any of them. ``cost`` orders the questions of a rule.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from fractions import Fraction
from functools import cache, lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from types import MappingProxyType
from typing import Any, ClassVar

import re2
from msgspec import Struct

from soc.detect.sigma.event import Scalar

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


class _Question(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """A question about one value. Each has a ``cost``: how dear it is, compared with others."""


class Equals(_Question, frozen=True):
    """The text is one of the needles, which are folded unless case counts."""

    needles: frozenset[str]
    cased: bool = False
    cost: ClassVar[int] = 1

    def accepts(self, value: Scalar) -> bool:
        """Return whether the text is one of the needles."""
        return (value.text if self.cased else value.folded) in self.needles


class StartsWith(_Question, frozen=True):
    """The text starts with one of the needles."""

    needles: tuple[str, ...]
    cased: bool = False
    cost: ClassVar[int] = 2

    def accepts(self, value: Scalar) -> bool:
        """Return whether the text starts with one of the needles."""
        return (value.text if self.cased else value.folded).startswith(self.needles)


class EndsWith(_Question, frozen=True):
    """The text ends with one of the needles."""

    needles: tuple[str, ...]
    cased: bool = False
    cost: ClassVar[int] = 2

    def accepts(self, value: Scalar) -> bool:
        """Return whether the text ends with one of the needles."""
        return (value.text if self.cased else value.folded).endswith(self.needles)


class Contains(_Question, frozen=True):
    """The text contains one of the needles."""

    needles: tuple[str, ...]
    cased: bool = False

    @property
    def cost(self) -> int:
        """Return the number of searches."""
        return 2 + len(self.needles)

    def accepts(self, value: Scalar) -> bool:
        """Return whether the text contains one of the needles."""
        text = value.text if self.cased else value.folded
        for needle in self.needles:  # noqa: SIM110 - any() makes a generator per value: twice as slow
            if needle in text:
                return True
        return False


class Pattern(_Question, frozen=True):
    """A regular expression of linear time finds something in the UTF-8 of the text."""

    source: str
    cost: ClassVar[int] = 100

    def accepts(self, value: Scalar) -> bool:
        """Return whether the expression is found in the text."""
        return compiled(self.source).search(value.octets) is not None


class Number(_Question, frozen=True):
    """The value is this number, or decimal text for it."""

    number: int | float
    cost: ClassVar[int] = 1

    def accepts(self, value: Scalar) -> bool:
        """Return whether the value is the number."""
        return value.number == self.number


class Order(StrEnum):
    """How a value compares with a number: lt <, lte <=, gt >, gte >=, eq =, neq not =."""

    LT = "lt"
    LTE = "lte"
    GT = "gt"
    GTE = "gte"
    EQ = "eq"
    NEQ = "neq"

    def holds(self, left: float | Fraction, right: float | Fraction) -> bool:
        """Return whether *left* stands in this order to *right*."""
        match self:
            case Order.LT:
                return left < right
            case Order.LTE:
                return left <= right
            case Order.GT:
                return left > right
            case Order.GTE:
                return left >= right
            case Order.NEQ:
                return left != right
        return left == right


class Compare(_Question, frozen=True):
    """The value is a number that compares so; what is no number never does."""

    order: Order
    number: int | float
    cost: ClassVar[int] = 2

    def accepts(self, value: Scalar) -> bool:
        """Return whether the value is a number in this order."""
        return value.number is not None and self.order.holds(value.number, self.number)


class Within(_Question, frozen=True):
    """The value is an address in the network, which is written as CIDR.

    ``::ffff:192.0.2.1`` is 192.0.2.1, and a zone such as ``%eth0`` does not count.
    """

    network: str
    cost: ClassVar[int] = 20

    def accepts(self, value: Scalar) -> bool:
        """Return whether the value is an address in the network."""
        address = _address(value.text)
        return address is not None and address in _network(self.network)


class Part(StrEnum):
    """What of a date is asked for; weeks are those of ISO 8601."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"

    @property
    def numbers(self) -> range:
        """Return what it can be."""
        return NUMBERS[self]

    def of(self, moment: datetime) -> int:
        """Return this part of *moment*."""
        if self is Part.WEEK:
            return moment.isocalendar().week
        return int(getattr(moment, self.value))


NUMBERS: Mapping[Part, range] = MappingProxyType(
    {
        Part.MINUTE: range(60),
        Part.HOUR: range(24),
        Part.DAY: range(1, 32),
        Part.WEEK: range(1, 54),
        Part.MONTH: range(1, 13),
        Part.YEAR: range(1, 10_000),
    }
)


class DatePart(_Question, frozen=True):
    """The value is a date whose part, as written and in no other zone, compares so."""

    part: Part
    order: Order
    number: int | float
    cost: ClassVar[int] = 20

    def accepts(self, value: Scalar) -> bool:
        """Return whether the part of the date is in this order."""
        if not isinstance(value.raw, str):
            return False
        try:
            moment = datetime.fromisoformat(value.raw)
        except ValueError:
            return False
        return self.order.holds(self.part.of(moment), self.number)


Predicate = (
    Equals | StartsWith | EndsWith | Contains | Pattern | Number | Compare | Within | DatePart
)
"""Any of them: ``accepts`` a value or not."""


@cache
def compiled(source: str) -> Any:  # noqa: ANN401 - re2 has no types
    """Return the regular expression *source*; raises re2.error for what linear time cannot do."""
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    return re2.compile(source, options)


@cache
def _network(text: str) -> Network:
    return ip_network(text)


@lru_cache(maxsize=8)  # one value is asked for many networks
def _address(text: str) -> Address | None:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
