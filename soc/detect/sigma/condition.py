"""A rule's condition as a tree that knows whether it holds for an event, and what made it hold.

Missing is not unknown: whatever asks for a value is false where there is none, and ``not`` makes
it true.
"""

from collections.abc import Iterator
from typing import ClassVar

from msgspec import Struct

from soc.detect.sigma.event import Event, Scalar
from soc.detect.sigma.predicate import Predicate
from soc.model.finding import Match

MAX_SHOWN = 1024
"""Longer values are cut in explanations."""


class _Part(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """A part of a condition: a value that can be kept, so that a rule is compiled once.

    Each has a ``cost``: how dear the question is, compared with others.
    """


class And(_Part, frozen=True):
    """All of the parts hold."""

    parts: "tuple[Node, ...]"
    cost: int

    def holds(self, event: Event) -> bool:
        """Return whether all parts hold."""
        for part in self.parts:  # noqa: SIM110 - as in Contains
            if not part.holds(event):
                return False
        return True

    def matches(self, event: Event) -> Iterator[Match]:
        """Yield the matches of all parts, if they hold together."""
        if self.holds(event):
            for part in self.parts:
                yield from part.matches(event)


class Or(_Part, frozen=True):
    """At least one of the parts holds."""

    parts: "tuple[Node, ...]"
    cost: int

    def holds(self, event: Event) -> bool:
        """Return whether a part holds."""
        for part in self.parts:  # noqa: SIM110 - as in Contains
            if part.holds(event):
                return True
        return False

    def matches(self, event: Event) -> Iterator[Match]:
        """Yield the matches of each part that holds."""
        for part in self.parts:
            yield from part.matches(event)


class Not(_Part, frozen=True):
    """The part does not hold; there is nothing to show for it."""

    part: "Node"

    @property
    def cost(self) -> int:
        """Return the cost of the part."""
        return self.part.cost

    def holds(self, event: Event) -> bool:
        """Return whether the part does not hold."""
        return not self.part.holds(event)

    def matches(self, event: Event) -> Iterator[Match]:  # noqa: ARG002 - the protocol's argument
        """Yield nothing."""
        return iter(())


class FieldMatch(_Part, frozen=True):
    """A value of the field is accepted by one of the predicates."""

    selection: str
    field: str
    predicates: tuple[Predicate, ...]
    cost: int

    def holds(self, event: Event) -> bool:
        """Return whether a value is accepted."""
        for value in event.scalars(self.field):
            for predicate in self.predicates:
                if predicate.accepts(value):
                    return True
        return False

    def matches(self, event: Event) -> Iterator[Match]:
        """Yield each accepted value."""
        for value in event.scalars(self.field):
            if any(predicate.accepts(value) for predicate in self.predicates):
                yield _match(self.selection, self.field, value.text)


class FieldIsNull(_Part, frozen=True):
    """The field is missing or null; an empty text is a value."""

    selection: str
    field: str
    cost: ClassVar[int] = 1

    def holds(self, event: Event) -> bool:
        """Return whether there is no value."""
        return event.find(self.field).is_null

    def matches(self, event: Event) -> Iterator[Match]:
        """Yield the field."""
        if self.holds(event):
            yield _match(self.selection, self.field, "null")


class FieldExists(_Part, frozen=True):
    """The field is there, whatever it holds, or is not."""

    selection: str
    field: str
    expected: bool
    cost: ClassVar[int] = 1

    def holds(self, event: Event) -> bool:
        """Return whether the field's presence is as expected."""
        return event.find(self.field).exists is self.expected

    def matches(self, event: Event) -> Iterator[Match]:
        """Yield the field with its first value."""
        if self.holds(event):
            values = event.scalars(self.field)
            yield _match(self.selection, self.field, values[0].text if values else "null")


class FieldReference(_Part, frozen=True):
    """A value of the field equals, starts with, ends with or contains one of the other field."""

    selection: str
    field: str
    other: str
    starts: bool
    ends: bool
    cased: bool = False
    cost: ClassVar[int] = 3

    def holds(self, event: Event) -> bool:
        """Return whether a pair of values compares so."""
        return any(self._accepted(event))

    def matches(self, event: Event) -> Iterator[Match]:
        """Yield each value that has its counterpart."""
        for value in self._accepted(event):
            yield _match(self.selection, self.field, value.text)

    def _accepted(self, event: Event) -> Iterator[Scalar]:
        others = [self.text(other) for other in event.scalars(self.other)]
        for value in event.scalars(self.field):
            if any(self.compares(self.text(value), other) for other in others):
                yield value

    def text(self, value: Scalar) -> str:
        """Return what of *value* is compared."""
        return value.text if self.cased else value.folded

    def compares(self, left: str, right: str) -> bool:
        """Return whether *left* stands so to *right*, both as ``text`` gives them."""
        if self.starts and self.ends:
            return right in left
        if self.starts:
            return left.startswith(right)
        if self.ends:
            return left.endswith(right)
        return left == right


class Keyword(_Part, frozen=True):
    """Some value of the event, at any depth, is accepted; names of fields are not looked at."""

    selection: str
    predicates: tuple[Predicate, ...]
    cost: ClassVar[int] = 1000

    def holds(self, event: Event) -> bool:
        """Return whether a value is accepted."""
        return next(self._accepted(event), None) is not None

    def matches(self, event: Event) -> Iterator[Match]:
        """Yield the first accepted value."""
        for field, value in self._accepted(event):
            yield _match(self.selection, field, value.text)
            return

    def _accepted(self, event: Event) -> Iterator[tuple[str, Scalar]]:
        for field, value in event.every():
            for predicate in self.predicates:
                if predicate.accepts(value):
                    yield field, value
                    break


Node = And | Or | Not | FieldMatch | FieldIsNull | FieldExists | FieldReference | Keyword
"""Any of them: ``holds`` for an event or not; ``matches`` yields what made it hold."""


def explain(condition: Node, event: Event) -> tuple[Match, ...]:
    """Return what made *condition* hold: each once, without what pipelines added."""
    matches = {
        (match.selection, match.field, match.value): match
        for match in condition.matches(event)
        if match.selection
    }
    return tuple(match for _, match in sorted(matches.items()))


def _match(selection: str, field: str, value: str) -> Match:
    return Match(selection=selection, field=field, value=value[:MAX_SHOWN])
