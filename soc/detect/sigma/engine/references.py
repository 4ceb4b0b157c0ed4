"""Rule out comparisons of two fields: most events have no two that are alike."""

from collections.abc import Mapping, Sequence
from typing import Any

from soc.detect.sigma.condition import FieldReference
from soc.detect.sigma.engine.resolver import Resolver
from soc.detect.sigma.event import Event, key_of
from soc.model.text import fold


class References:
    """Comparisons of several questions, by number."""

    def __init__(self, asked: Mapping[int, FieldReference]) -> None:
        self._asked = asked
        fields = (key_of(name) for node in asked.values() for name in (node.field, node.other))
        self._fields = tuple(dict.fromkeys(fields))
        self._resolver = Resolver(enumerate(self._fields))

    def hold(self, event: Event) -> frozenset[int]:
        """Return the questions that *event* answers with yes."""
        return frozenset(number for number, node in self._asked.items() if node.holds(event))

    def may_hold_each(
        self, shape: tuple[str, ...], documents: Sequence[Mapping[str, Any]]
    ) -> list[frozenset[int]]:
        """Return the questions that each of *documents*, all with the keys *shape*, may answer."""
        found = self._resolver.keys(shape)
        if found is None:
            return [self.hold(Event(document)) for document in documents]
        keys = dict(zip(self._fields, found, strict=True))
        pairs = (
            (number, node, keys[key_of(node.field)], keys[key_of(node.other)])
            for number, node in self._asked.items()
        )
        there = [
            (number, node, one, two)
            for number, node, one, two in pairs
            if one is not None and two is not None
        ]
        return [
            frozenset(
                number
                for number, node, one, two in there
                if _may_hold(node, document[one], document[two])
            )
            for document in documents
        ]


def _may_hold(node: FieldReference, value: object, other: object) -> bool:
    if type(value) is str and type(other) is str:
        return node.compares(*((value, other) if node.cased else (fold(value), fold(other))))
    return True
