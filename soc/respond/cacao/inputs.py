"""Inputs of playbooks as CACAO's variables, whose values are all text."""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from soc.respond.parameter import Parameter

TYPES: Mapping[str, str] = {
    "string": "string",
    "int": "integer",
    "float": "float",
    "bool": "bool",
    "wallet": "string",
    "list": "dictionary",
    "map": "dictionary",
    "duration": "string",
}
OURS: Mapping[str, str] = {
    "bool": "bool", "dictionary": "map", "float": "float", "integer": "int", "long": "int",
    "string": "string",
}  # fmt: skip
TEXTS = frozenset({"string", "wallet", "duration"})


def variable_of(parameter: Parameter) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return *parameter* as a variable, and what CACAO has no word for."""
    rest = parameter.model_dump(mode="json", exclude_defaults=True)
    made: dict[str, Any] = {"type": TYPES[parameter.type], "external": True}
    if about := rest.pop("about", ""):
        made["description"] = about
    default = rest.get("default")
    if default is not None:
        value = default if isinstance(default, str) else json.dumps(default, sort_keys=True)
        made["value"] = value
        if _same(value_of(parameter.type, value), default):
            del rest["default"]
    return made, rest


def value_of(kind: str, text: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return what *text* writes for an input of *kind*; other than JSON it stays text."""
    if kind in TEXTS:
        return text
    try:
        return json.loads(text, parse_constant=no_number)
    except (ValueError, RecursionError):
        return text


def no_number(word: str) -> NoReturn:
    """Refuse NaN and infinities, which Python reads and JSON does not have; raises ValueError."""
    raise ValueError(f"{word} is no number")


def _same(one: object, other: object) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
