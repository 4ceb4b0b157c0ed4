"""See one event as rules do: fields by name, each value as text, folded text and number.

A field's name is looked up as it is written and, dot by dot, as a path: ``a.b`` is the key "a.b"
and also the "b" in "a". Case of keys does not count: ``LogonId`` and ``LogonID`` are one field,
with the values of both. A list gives each of its elements, a list of objects the field of each.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from soc.detect.sigma.text import number_of, text_of
from soc.model.text import fold

Document = Mapping[str, Any]


class Scalar:
    """One value that is neither null, list nor object."""

    __slots__ = ("_number", "_octets", "folded", "raw", "text")

    def __init__(self, raw: object) -> None:
        self.raw = raw
        self.text = text_of(raw)
        self.folded = fold(self.text)
        self._number: float | bool | None = False
        self._octets: bytes | None = None

    @property
    def number(self) -> float | None:
        """Return the value as a number, or None."""
        if self._number is False:
            self._number = number_of(self.raw)
        return self._number

    @property
    def octets(self) -> bytes:
        """Return the text as UTF-8, as regular expressions want it."""
        if self._octets is None:
            self._octets = self.text.encode()
        return self._octets


class Found(NamedTuple):
    """What an event has under one name.

    scalars: its values. exists: the key is there, whatever it holds. is_null: there is no value,
    since the key is missing, or a null stands among the values, or the list is empty.
    """

    scalars: tuple[Scalar, ...]
    exists: bool
    is_null: bool


class Event:
    """One event; each field is looked up once."""

    __slots__ = ("_every", "_found", "_keys", "document")

    def __init__(self, document: Document) -> None:
        self.document = document
        self._keys: dict[str, list[Any]] | None = None
        self._found: dict[str, Found] = {}
        self._every: tuple[tuple[str, Scalar], ...] | None = None

    def find(self, field: str) -> Found:
        """Return what stands under *field*."""
        found = self._found.get(field)
        if found is None:
            found = self._found[field] = self._look_up(key_of(field))
        return found

    def scalars(self, field: str) -> tuple[Scalar, ...]:
        """Return the values of *field*."""
        return self.find(field).scalars

    def every(self) -> tuple[tuple[str, Scalar], ...]:
        """Return all values at any depth, each with the path of its field."""
        if self._every is None:
            self._every = tuple(_walk(self.document))
        return self._every

    def _look_up(self, key: str) -> Found:
        if self._keys is None:
            self._keys = _keys_of(self.document)
        return found_among(list(_values(self._keys, key)))


def found_among(values: Sequence[Any]) -> Found:
    """Return *values*, all that stands under one name, as rules see them."""
    flat = list(_flatten(values))
    scalars = tuple(Scalar(value) for value in flat if _is_scalar(value))
    return Found(scalars, exists=bool(values), is_null=not flat or None in flat)


def field(document: Document, name: str) -> str | None:
    """Return the first value of the field *name* as text, or None if there is none."""
    scalars = Event(document).scalars(name)
    return scalars[0].text if scalars else None


@lru_cache(maxsize=65536)
def key_of(name: str) -> str:
    """Return the one spelling of a field's name."""
    return fold(name)


def _keys_of(document: Document) -> dict[str, list[Any]]:
    keys: dict[str, list[Any]] = {}
    for name, value in document.items():
        keys.setdefault(key_of(name), []).append(value)
    return keys


def _values(keys: Mapping[str, list[Any]], key: str) -> Iterator[Any]:
    """Yield what stands under *key*, read as a name and as each path that it can be."""
    yield from keys.get(key, ())
    dot = key.find(".")
    while dot != -1:
        head, tail = key[:dot], key[dot + 1 :]
        for value in _flatten(keys.get(head, ())):
            if isinstance(value, Mapping):
                yield from _values(_keys_of(value), tail)
        dot = key.find(".", dot + 1)


def _flatten(values: object) -> Iterator[Any]:
    """Yield the elements of lists in lists, in their order."""
    waiting = [values]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list | tuple):
            waiting.extend(reversed(value))
        else:
            yield value


def _walk(document: Document) -> Iterator[tuple[str, Scalar]]:
    waiting: list[tuple[str, Any]] = [("", document)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, Mapping):
            inner = [(f"{path}.{name}" if path else name, item) for name, item in value.items()]
            waiting.extend(reversed(inner))
        elif isinstance(value, list):
            waiting.extend((path, item) for item in reversed(value))
        elif value is not None:
            yield path, Scalar(value)


def _is_scalar(value: object) -> bool:
    return type(value) is str or (value is not None and not isinstance(value, Mapping))
