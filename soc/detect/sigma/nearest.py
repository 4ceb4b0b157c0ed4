"""Say which exclusion of a rule came nearest to sparing an event, and what it lacked."""

from collections.abc import Iterator
from typing import NamedTuple

from soc.detect.sigma.condition import (
    And,
    FieldExists,
    FieldIsNull,
    FieldMatch,
    FieldReference,
    Keyword,
    Node,
    Not,
    Or,
)
from soc.detect.sigma.event import Event
from soc.detect.sigma.predicate import (
    Compare,
    Contains,
    DatePart,
    EndsWith,
    Equals,
    Number,
    Pattern,
    Predicate,
    StartsWith,
    Within,
)

SHOWN = 3
"""Needles that are told; of more, that there are more."""


class Lacking(NamedTuple):
    """What an exclusion asks for and the event does not have."""

    selection: str
    field: str
    asks: str


def nearest_filter(condition: Node, event: Event) -> tuple[Lacking, ...]:
    """Return what *event*, which *condition* holds for, lacks to be spared by an exclusion.

    Of several, that which lacks least; nothing if *condition* has none.
    """
    near = [lacks for part in _exclusions(condition, event) if (lacks := _lacks(part, event))]
    fewest = min(map(len, near), default=0)
    return next((tuple(one) for one in near if len(one) == fewest), ())


def _exclusions(node: Node, event: Event) -> Iterator[Node]:
    """Yield the parts that would have made *node* false."""
    match node:
        case And():
            for part in node.parts:
                yield from _exclusions(part, event)
        case Or():
            held = [part for part in node.parts if part.holds(event)]
            if len(held) == 1:
                yield from _exclusions(held[0], event)
        case Not():
            yield node.part


def _lacks(node: Node, event: Event) -> list[Lacking]:
    """Return what must still hold for *node* to hold; nothing if it cannot be said."""
    if node.holds(event):
        return []
    match node:
        case And():
            return [one for part in node.parts for one in _lacks(part, event)]
        case Or():
            return min((_lacks(part, event) for part in node.parts), key=len)
        case Not():
            return []
    return [_lacking(node)]


def _lacking(leaf: FieldMatch | FieldIsNull | FieldExists | FieldReference | Keyword) -> Lacking:
    match leaf:
        case Keyword():
            return Lacking(leaf.selection, "", _asks(leaf.predicates))
        case FieldMatch():
            asks = _asks(leaf.predicates)
        case FieldIsNull():
            asks = "is null"
        case FieldExists():
            asks = "exists" if leaf.expected else "is missing"
        case FieldReference():
            asks = f"compares with {leaf.other}"
    return Lacking(leaf.selection, leaf.field, asks)


def _asks(predicates: tuple[Predicate, ...]) -> str:
    return " or ".join(map(_said, predicates))


def _said(predicate: Predicate) -> str:
    match predicate:
        case Equals(needles):
            said = f"is {_some(sorted(needles))}"
        case StartsWith(needles):
            said = f"starts with {_some(needles)}"
        case EndsWith(needles):
            said = f"ends with {_some(needles)}"
        case Contains(needles):
            said = f"contains {_some(needles)}"
        case Pattern(source):
            said = f"matches {source}"
        case Number(number):
            said = f"is {number}"
        case Compare(order, number):
            said = f"is {order} {number}"
        case Within(network):
            said = f"is in {network}"
        case DatePart(part, order, number):
            said = f"has a {part} that is {order} {number}"
    return said


def _some(needles: list[str] | tuple[str, ...]) -> str:
    shown = ", ".join(map(repr, needles[:SHOWN]))
    return f"{shown} or {len(needles) - SHOWN} others" if len(needles) > SHOWN else shown
