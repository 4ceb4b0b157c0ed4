"""Turn a file into the one value that it describes."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, PlainSerializer, ValidationError

from soc.content.document import Document
from soc.errors import ContentError
from soc.model.value import Value

UNITS = MappingProxyType({"s": "seconds", "m": "minutes", "h": "hours", "d": "days"})

DRAFT = "https://json-schema.org/draft/2020-12/schema"

Kind = TypeVar("Kind", bound=BaseModel)


def duration(text: object) -> timedelta:
    """Return the span that *text* writes, such as ``24h``; raises ValueError."""
    if isinstance(text, timedelta):
        return text
    if match := re.fullmatch(r"([1-9][0-9]{0,5})([smhd])", str(text)):
        return timedelta(**{UNITS[match[2]]: int(match[1])})
    raise ValueError("write a whole number and s, m, h or d, such as 24h")


def duration_text(span: timedelta) -> str:
    """Return *span* as it is written in content, such as ``24h``."""
    seconds = round(span.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


Duration = Annotated[timedelta, BeforeValidator(duration), PlainSerializer(duration_text)]
"""A span of time, written ``90s``, ``15m``, ``24h`` or ``7d``."""


class Described(Value):
    """What every kind of content says about itself."""

    title: str
    description: str
    owner: str
    status: str
    created: date
    reviewed: date
    references: tuple[str, ...]


def load(path: Path, kind: type[Kind], parts: Mapping[str, Any] | None = None) -> Kind:
    """Return the one *kind* that the file at *path* holds.

    *parts* are the models that the file may name, as a playbook names actions; validators find
    them in their context. Raises ContentError with all mistakes of the file.
    """
    document = Document(path)
    models = [part for part in (parts or {}).values() if isinstance(part, type)]
    try:
        # Strict JSON lets text become a date or an enum, as files must, and converts nothing else.
        value = kind.model_validate_json(json.dumps(document.plain), context=parts)
    except ValidationError as invalid:
        mistakes = document.explain(invalid, keys_of([kind, *models]))
        raise ContentError([*document.problems, *mistakes]) from invalid
    if document.problems:
        raise ContentError(document.problems)
    return value


def schema_of(kind: type[BaseModel], name: str) -> str:
    """Return the JSON Schema of *kind* as text, as files spell it; it is called *name*."""
    made = kind.model_json_schema(by_alias=True, mode="validation")
    whole = {"$schema": DRAFT, "$id": f"urn:commonwatch:{name}:1", **made}
    return json.dumps(whole, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def keys_beside(model: type[BaseModel], place: Sequence[str | int]) -> set[str]:
    """Return the keys that may stand where *place*, a path into *model*, ends."""
    schema = _schema_of(model)
    found = [schema]
    for part in (*place[:-1], None):
        found = [one for node in found for one in _choices(node, schema)]
        if part is not None:
            inner = [node.get("properties", {}).get(part) for node in found]
            items = [node.get(key) for node in found for key in ("items", "additionalProperties")]
            found = [one for one in (*inner, *items) if isinstance(one, dict)]
    return {key for node in found for key in node.get("properties", {})}


@lru_cache(maxsize=256)
def _schema_of(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema()


def _choices(node: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what *node* of *schema* may be, references followed."""
    if "$ref" in node:
        yield from _choices(schema["$defs"][node["$ref"].rpartition("/")[2]], schema)
    for one in node.get("anyOf", node.get("oneOf", ())):
        yield from _choices(one, schema)
    yield dict(node)


def keys_of(models: Iterable[type[BaseModel]]) -> set[str]:
    """Return every key that *models* know, at any depth."""
    schemas = [_schema_of(model) for model in models]
    nested = [part for schema in schemas for part in schema.get("$defs", {}).values()]
    return {key for schema in [*schemas, *nested] for key in schema.get("properties", {})}
