"""Find patterns that cost much and say little."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from soc.detect.sigma.source import Place

SHORT = 3
"""Fewer letters than these, of ASCII, are found in nearly every value."""


class Costly(NamedTuple):
    """A pattern that costs much: where it is written, and what to write instead."""

    place: Place
    reason: str


def costly_patterns(detection: Mapping[str, Any]) -> Iterator[Costly]:
    """Yield the patterns of *detection* that cost much and say little, each with its place."""
    for name, definition in detection.items():
        if name != "condition":
            yield from _walk(definition, ("detection", name))


def _walk(definition: object, place: Place) -> Iterator[Costly]:
    """Yield what is costly in a selection: a map of fields, or a list of maps or of words."""
    if isinstance(definition, Mapping):
        for key, value in definition.items():
            field, *modifiers = str(key).split("|")
            yield from _values(field, modifiers, value, (*place, key))
    elif isinstance(definition, list):
        for index, part in enumerate(definition):
            inner = (*place, index)
            if isinstance(part, Mapping | list):
                yield from _walk(part, inner)
            else:
                yield from _values("", [], part, inner)
    else:
        yield from _values("", [], definition, place)


def _values(field: str, modifiers: list[str], value: object, place: Place) -> Iterator[Costly]:
    if isinstance(value, list):
        for index, one in enumerate(value):
            yield from _values(field, modifiers, one, (*place, index))
    elif isinstance(value, str) and (reason := _reason(field, modifiers, value)):
        yield Costly(place, reason)


def _reason(field: str, modifiers: list[str], value: str) -> str | None:
    if "re" in modifiers:
        inner = value[value.find(")") + 1 :] if value.startswith("(?") else value
        if inner.startswith(".*") and inner.endswith(".*") and not inner.endswith("\\.*"):
            return "leave out .* at both ends: an expression is found anywhere in a value"
        return None
    text = value.strip("*")
    if value and not text:
        if field:
            return f"* is every value: write {field}|exists: true"
        return "* is every event that has a value: write what is looked for"
    is_anywhere = not field or "contains" in modifiers or value[:1] == value[-1:] == "*"
    is_coded = any(one.startswith("base64") for one in modifiers)
    if is_anywhere and not is_coded and len(text) < SHORT and text.isascii() and text.isalnum():
        return f"{text!r} is found in nearly every value: write more of it"
    return None
