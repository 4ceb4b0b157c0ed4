"""Secrets that playbooks may use and nothing may show."""

import base64
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, NoReturn
from urllib.parse import quote, quote_plus

from pydantic import (
    BeforeValidator,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationInfo,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from soc.content.document import did_you_mean
from soc.errors import Illegal, NotFound
from soc.outward import SecretSource

SHORTEST, LONGEST = 8, 16 * 1024
HIDDEN = "<secret>"


class Opaque:
    """A value that shows a name instead of itself, and stands in no JSON."""

    def reveal(self) -> str:
        """Return the text itself: only where it leaves for whom it is meant."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return str(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{self} is not to be stored")

    @classmethod
    def __get_pydantic_core_schema__(
        cls, _source: object, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Take only what is one already; write its name."""
        shown = core_schema.plain_serializer_function_ser_schema(str, return_schema=None)
        return core_schema.is_instance_schema(cls, serialization=shown)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "description": "a secret"}


class Secret(Opaque):
    """One secret, read when it is used: ``str()`` gives ``<secret NAME>``."""

    def __init__(self, name: str, read: Callable[[], str]) -> None:
        self.name, self._read = name, read

    def reveal(self) -> str:
        """Return the secret itself; raises Illegal if it cannot be read."""
        return self._read()

    def __str__(self) -> str:
        return f"<secret {self.name}>"


class SecretText(Opaque):
    """Text with secrets in it: ``str()`` gives ``Bearer <secret NAME>``."""

    def __init__(self, parts: Sequence[str | Secret]) -> None:
        self.parts = tuple(parts)

    def reveal(self) -> str:
        """Return the whole text; raises Illegal if a secret cannot be read."""
        return "".join(part if isinstance(part, str) else part.reveal() for part in self.parts)

    def __str__(self) -> str:
        return "".join(map(str, self.parts))


def unread(name: str) -> Secret:
    """Return a secret that nothing can read: for plans and tests."""

    def refuse() -> str:
        raise Illegal(f"secret {name} is not to be read here")

    return Secret(name, refuse)


def _found(value: object, info: ValidationInfo) -> object:
    return (info.context or {}).get(value, value) if isinstance(value, str) else value


Hidden = Annotated[str | Secret | SecretText, BeforeValidator(_found)]
"""A field that takes text, a secret, or text with secrets."""


class Secrets:
    """The secrets that settings name; each is read again whenever it is used."""

    def __init__(
        self, sources: Mapping[str, SecretSource], environ: Mapping[str, str], home: Path
    ) -> None:
        self._sources, self._environ, self._home = sources, environ, home

    @property
    def names(self) -> list[str]:
        """Return what they are called, sorted."""
        return sorted(self._sources)

    def get(self, name: str) -> Secret:
        """Return the secret *name*, unread; raises NotFound."""
        if name not in self._sources:
            hint = did_you_mean(name, self.names) if self.names else "settings name none"
            raise NotFound("secret", f"{name}: {hint}")
        return Secret(name, lambda: self._read(name))

    def problems(self) -> list[str]:
        """Return what is wrong with each that cannot be read."""
        found = []
        for name in self.names:
            try:
                self._read(name)
            except Illegal as wrong:
                found.append(str(wrong))
        return found

    def _read(self, name: str) -> str:
        source = self._sources[name]
        text = self._of_file(name, source.file) if source.file else self._of_variable(name, source)
        if not SHORTEST <= len(text) <= LONGEST:
            raise Illegal(f"secret {name}: give it {SHORTEST} to {LONGEST} characters")
        return text

    def _of_variable(self, name: str, source: SecretSource) -> str:
        found = self._environ.get(source.env or "")
        if found is None:
            raise Illegal(f"secret {name}: the variable {source.env} is not set")
        return found

    def _of_file(self, name: str, path: Path) -> str:
        try:
            with (self._home / path).open(encoding="utf-8") as file:
                return file.read(LONGEST + 2).removesuffix("\n").removesuffix("\r")
        except (OSError, UnicodeDecodeError) as wrong:
            why = wrong.strerror if isinstance(wrong, OSError) else "not UTF-8"
            raise Illegal(f"secret {name}: {path}: {why}") from wrong


def scrub(text: str, values: Iterable[str]) -> str:
    """Return *text* without *values*, plain or encoded in a usual way: the second net."""
    forms = {form for value in values if value for form in _forms(value)}
    for form in sorted(forms, key=lambda form: (-len(form), form)):
        text = text.replace(form, HIDDEN)
    return text


def _forms(value: str) -> set[str]:
    data = value.encode()
    quoted = {quote(value), quote(value, safe=""), quote_plus(value)}
    found = {value, data.hex(), *quoted, *(form.replace("%20", "+") for form in quoted)}
    found.add(json.dumps(value)[1:-1])
    found.add(json.dumps(value, ensure_ascii=False)[1:-1])
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before, start in enumerate((0, 2, 3)):  # what stands before shifts it by as many bytes
            end = (before + len(data)) * 8 // 6
            found.add(encode(bytes(before) + data).decode()[start:end])
    return {form for form in found if len(form) >= min(len(value), SHORTEST)}
