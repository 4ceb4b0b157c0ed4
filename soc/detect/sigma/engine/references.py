"""Rule out comparisons of two fields: most events have no two that are alike."""

from collections.abc import Mapping, Sequence
from typing import Any

from soc.detect.sigma.condition import FieldReference
from soc.detect.sigma.event import Event, key_of
from soc.model.text import fold


class References:
    """Comparisons of several questions, by number."""

    def __init__(self, asked: Mapping[int, FieldReference]) -> None:
        self._asked = asked
        self._keys = [
            (number, node, key_of(node.field), key_of(node.other)) for number, node in asked.items()
        ]

    def hold(self, event: Event) -> frozenset[int]:
        """Return the questions that *event* answers with yes."""
        return frozenset(number for number, node in self._asked.items() if node.holds(event))

    def may_hold_each(
        self, shape: Sequence[str], documents: Sequence[Mapping[str, Any]]
    ) -> list[frozenset[int]]:
        """Return the questions that each of *documents* may answer with yes.

        shape: the keys of all of them, of which no two are one field, and none holds others.
        """
        keys = {key_of(key): key for key in shape}
        there = [
            (number, node, keys[field], keys[other])
            for number, node, field, other in self._keys
            if field in keys and other in keys
        ]
        return [
            frozenset(
                number
                for number, node, field, other in there
                if _may_hold(node, document[field], document[other])
            )
            for document in documents
        ]


def _may_hold(node: FieldReference, value: object, other: object) -> bool:
    if type(value) is str and type(other) is str:
        return node.compares(fold(value), fold(other))
    return True
