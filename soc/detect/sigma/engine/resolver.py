"""Find the values of many fields in one event at once, as ``Event`` finds each of them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import count
from typing import Any, Final, NamedTuple

from soc.detect.sigma.event import key_of

MISSING: Final = object()
"""What stands in the place of a field that an event does not have."""
Path = tuple[str, ...]
"""The keys that lead to a value, from the outside in."""
Shape = int | tuple[Any, ...]
"""What is the same for all objects in which the same fields stand in the same places."""
MAX_SHAPES = 10_000
"""Combinations of keys that are remembered."""


class _Step(NamedTuple):
    """One key of a shape. place: of the field that it is, or -1. inner: for fields below it."""

    key: str
    place: int
    inner: "Resolver | None"


class _Steps(NamedTuple):
    """The keys of an object that matter.

    number: the same for all that have the same such keys. inner: those of objects with more keys
    that matter, and what tells the shapes of these.
    """

    number: int
    all: tuple[_Step, ...]
    inner: tuple[tuple[str, Callable[[Mapping[str, Any]], Shape]], ...]


class Resolver:
    """Knows where fields stand in objects of every shape that it has seen.

    fields: each with its place, spelt as ``key_of`` does.
    """

    def __init__(self, fields: Iterable[tuple[int, str]]) -> None:
        self._fields = tuple(fields)
        self._shapes: dict[tuple[str, ...], _Steps] = {}
        self._numbers: dict[tuple[_Step, ...], int] = {}
        self._count = count()
        self._below: dict[str, Resolver] = {}
        self._places = {name: place for place, name in self._fields}
        self._heads = frozenset(head for _, name in self._fields for head in _heads(name))

    def shape(self, document: Mapping[str, Any]) -> Shape:
        """Return the shape of *document*: what ``paths`` says of it depends on nothing else."""
        known = self._shapes.get(keys := tuple(document))
        if known is None:
            known = self._learn(keys)
        number, _, inner = known
        if not inner:
            return number
        below = [
            shape(value) if type(value := document[key]) is dict else type(value)
            for key, shape in inner
        ]
        return (number, *below)

    def paths(self, document: Mapping[str, Any]) -> tuple[Path | None, ...] | None:
        """Return where each field stands in *document*; None for one that does not.

        Returns None altogether where a field may stand in more than one place: then ask ``Event``.
        """
        found: list[Path | None] = [None] * len(self._fields)
        return tuple(found) if self.locate(document, (), found) else None

    def locate(self, document: Mapping[str, Any], above: Path, found: list[Path | None]) -> bool:
        """Note where each field stands in *document*, which lies under *above*; as ``paths``."""
        for key, place, inner in self._steps(tuple(document)).all:
            if place >= 0:
                if found[place] is not None:
                    return False
                found[place] = (*above, key)
            value = document[key] if inner else None
            if type(value) is list:
                return False
            if inner and type(value) is dict and not inner.locate(value, (*above, key), found):
                return False
        return True

    def read(self, document: Mapping[str, Any], values: list[Any]) -> bool:
        """Put what stands under each field into its place among *values*, all MISSING before.

        Returns False where a field may stand in more than one place: then ask ``Event``.
        """
        for key, place, inner in self._steps(tuple(document)).all:
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

    def _steps(self, keys: tuple[str, ...]) -> "_Steps":
        steps = self._shapes.get(keys)
        return self._learn(keys) if steps is None else steps

    def _learn(self, keys: tuple[str, ...]) -> "_Steps":
        if len(self._shapes) >= MAX_SHAPES:
            self._shapes.clear()
            self._numbers.clear()
        every = []
        for key in keys:
            folded = key_of(key)
            step = _Step(key, self._places.get(folded, -1), self._inner(folded))
            if step.place >= 0 or step.inner:
                every.append(step)
        steps = tuple(every)
        if steps not in self._numbers:
            self._numbers[steps] = next(self._count)  # no number ever means something else
        inner = tuple((step.key, step.inner.shape) for step in steps if step.inner)
        self._shapes[keys] = _Steps(self._numbers[steps], steps, inner)
        return self._shapes[keys]

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
