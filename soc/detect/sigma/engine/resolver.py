"""Find the values of many fields in one event at once, as ``Event`` finds each of them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from soc.detect.sigma.event import key_of

MISSING: Final = object()
"""What stands in the place of a field that an event does not have."""
Shape = tuple[str, ...]
"""The keys of an object, in their order."""
MAX_SHAPES = 10_000
"""Combinations of keys that are remembered."""


class _Step(NamedTuple):
    """One key of a shape. place: of the field that it is, or -1. inner: for fields below it."""

    key: str
    place: int
    inner: "Resolver | None"


class Resolver:
    """Knows where fields stand in objects of every shape that it has seen.

    fields: each with its place, spelt as ``key_of`` does.
    """

    def __init__(self, fields: Iterable[tuple[int, str]]) -> None:
        self._fields = tuple(fields)
        self._shapes: dict[Shape, tuple[_Step, ...]] = {}
        self._below: dict[str, Resolver] = {}
        self._places = {name: place for place, name in self._fields}
        self._heads = frozenset(head for _, name in self._fields for head in _heads(name))

    def keys(self, shape: Shape) -> tuple[str | None, ...] | None:
        """Return the key of each field in objects with the keys *shape*; None for those without.

        Returns None altogether where a field may stand in more than one place: then ``read`` each.
        """
        found: list[str | None] = [None] * len(self._fields)
        for key, place, inner in self._steps(shape):
            if inner is not None or found[place] is not None:
                return None
            found[place] = key
        return tuple(found)

    def read(self, document: Mapping[str, Any], values: list[Any]) -> bool:
        """Put what stands under each field into its place among *values*, all MISSING before.

        Returns False where a field may stand in more than one place: then ask ``Event``.
        """
        for key, place, inner in self._steps(tuple(document)):
            value = document[key]
            if place >= 0:
                if values[place] is not MISSING:
                    return False
                values[place] = value
            if inner is None:
                continue
            if type(value) is dict:
                if not inner.read(value, values):
                    return False
            elif type(value) is list:
                return False
        return True

    def _steps(self, shape: Shape) -> tuple[_Step, ...]:
        steps = self._shapes.get(shape)
        return self._learn(shape) if steps is None else steps

    def _learn(self, shape: Shape) -> tuple[_Step, ...]:
        if len(self._shapes) >= MAX_SHAPES:
            self._shapes.clear()
        steps = []
        for key in shape:
            folded = key_of(key)
            step = _Step(key, self._places.get(folded, -1), self._inner(folded))
            if step.place >= 0 or step.inner:
                steps.append(step)
        self._shapes[shape] = tuple(steps)
        return self._shapes[shape]

    def _inner(self, key: str) -> "Resolver | None":
        if key not in self._heads:
            return None
        if key not in self._below:
            head = f"{key}."
            below = [(n, name) for n, name in self._fields if name.startswith(head)]
            self._below[key] = Resolver((n, name.removeprefix(head)) for n, name in below)
        return self._below[key]


def _heads(name: str) -> Iterator[str]:
    """Yield what stands before each dot in *name*."""
    dot = name.find(".")
    while dot != -1:
        yield name[:dot]
        dot = name.find(".", dot + 1)
