"""Rule out comparisons of two fields: most events have no two that are alike."""

from collections.abc import Mapping, Sequence
from typing import Any

from soc.detect.sigma.condition import FieldReference
from soc.detect.sigma.event import Event, key_of
from soc.model.text import fold

Values = Sequence[Any]
"""What stands under one name in several events."""


class References:
    """Comparisons of several questions, by number."""

    def __init__(self, asked: Mapping[int, FieldReference]) -> None:
        self._asked = asked
        fields = (key_of(name) for node in asked.values() for name in (node.field, node.other))
        self.fields = tuple(dict.fromkeys(fields))

    def hold(self, event: Event) -> frozenset[int]:
        """Return the questions that *event* answers with yes."""
        return frozenset(number for number, node in self._asked.items() if node.holds(event))

    def may_hold_each(self, values: Mapping[str, Values], size: int) -> list[frozenset[int]]:
        """Return the questions that each of so many events as *size* may answer with yes.

        values: of those of ``fields`` that all the events have, by name.
        """
        there = [
            (number, node, values[key_of(node.field)], values[key_of(node.other)])
            for number, node in self._asked.items()
            if key_of(node.field) in values and key_of(node.other) in values
        ]
        return [
            frozenset(
                number for number, node, one, two in there if _may_hold(node, one[row], two[row])
            )
            for row in range(size)
        ]


def _may_hold(node: FieldReference, value: object, other: object) -> bool:
    if type(value) is str and type(other) is str:
        return node.compares(*((value, other) if node.cased else (fold(value), fold(other))))
    return True
