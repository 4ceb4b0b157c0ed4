"""What this installation decided: each setting, where it comes from, and what holds otherwise."""

import inspect
from collections.abc import Mapping
from datetime import timedelta
from enum import Enum
from typing import Any, get_args

from pydantic import BaseModel, SecretStr

from soc.app.suite import Suite
from soc.content.document import Document
from soc.content.kinds import duration_text
from soc.errors import ContentError, SettingsError
from soc.settings import PREFIX, Groups, environment, read

Plain = dict[str, Any]
SET, NOT_SET = "set", "not set"
"""All that anybody is told of a secret."""


def settled(suite: Suite) -> list[Plain]:
    """Return the groups of settings with their keys, values, defaults and where each comes from.

    Values are those of this process. from: file, environment or default; where: line or variable.
    """
    document = _document(suite)
    defaults = Groups()
    return [
        {
            "group": name,
            "about": _about(getattr(defaults, name), field.annotation),
            "keys": _keys(suite, name, getattr(defaults, name), document),
        }
        for name, field in sorted(Groups.model_fields.items())
    ]


def changed(suite: Suite) -> list[str]:
    """Return the groups that the file or the environment say otherwise by now, or its mistakes."""
    try:
        now = read(suite.home.settings)
    except SettingsError as wrong:
        return str(wrong).splitlines()
    return [
        f"{name} was changed since the suite was started"
        for name in sorted(Groups.model_fields)
        if getattr(now, name) != getattr(suite.settings, name)
    ]


def shown(value: object) -> Any:  # noqa: ANN401 - any JSON value
    """Return *value* as JSON has it, with ``set`` or ``not set`` for what is secret."""
    told: Any = str(value)
    match value:
        case SecretStr():
            told = SET if value.get_secret_value() else NOT_SET
        case BaseModel():
            told = {name: shown(getattr(value, name)) for name in type(value).model_fields}
        case Mapping():
            told = {str(key): shown(one) for key, one in value.items()}
        case list() | tuple() | set() | frozenset():
            told = [shown(one) for one in value]
        case timedelta():
            told = duration_text(value)
        case Enum():
            told = shown(value.value)
        case None | bool() | int() | float():
            told = value
    return told


def _keys(suite: Suite, group: str, default: object, document: Document | None) -> list[Plain]:
    found = getattr(suite.settings, group)
    if not isinstance(found, BaseModel) or not isinstance(default, BaseModel):
        return [_key(group, (group,), found, default, document)]
    return [
        _key(
            f"{group}.{name}", (group, name), getattr(found, name), getattr(default, name), document
        )
        for name in type(found).model_fields
    ]


def _key(
    name: str, place: tuple[str, ...], value: object, default: object, document: Document | None
) -> Plain:
    kind, where = _origin(place, document)
    secret = isinstance(value, SecretStr) or isinstance(default, SecretStr)
    return {
        "key": name,
        "value": NOT_SET if secret and value is None else shown(value),
        "default": NOT_SET if secret and default is None else shown(default),
        "is_default": value == default,
        "from": kind,
        "where": where,
    }


def _origin(place: tuple[str, ...], document: Document | None) -> tuple[str, str | None]:
    variable = PREFIX + "__".join(place).upper()
    if len(place) > 1 and variable in environment():
        return "environment", variable
    plain: Any = document.plain if document else None
    for name in place:
        if not isinstance(plain, dict) or name not in plain:
            return "default", None
        plain = plain[name]
    assert document is not None  # noqa: S101 - something was found in it
    return "file", f"{document.path.name}:{document.line(place)}"


def _document(suite: Suite) -> Document | None:
    try:
        return Document(suite.home.settings) if suite.home.settings.is_file() else None
    except ContentError:
        return None


def _about(group: object, annotation: Any) -> str:  # noqa: ANN401 - a type
    kind = type(group)
    if not isinstance(group, BaseModel):
        kind = next(one for one in get_args(annotation) if hasattr(one, "model_fields"))
    return inspect.cleandoc(kind.__doc__ or "").replace("``", "")
