"""Statements that are asked so often that putting them into words each time would be felt."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, CursorResult, Dialect, UpdateBase
from sqlalchemy.sql.compiler import SQLCompiler

from soc.errors import Illegal

Spelled = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Words:
    """A statement as one database takes it. given: name, fixed value and spelling of each value."""

    text: str
    given: tuple[tuple[str, object, Spelled | None], ...]
    is_positional: bool

    def values(self, given: Mapping[str, Any]) -> Any:  # noqa: ANN401 - what drivers take
        """Return *given* as the driver takes it."""
        spelled = (
            (name, spell(given.get(name, fixed)) if spell else given.get(name, fixed))
            for name, fixed, spell in self.given
        )
        return tuple(value for _, value in spelled) if self.is_positional else dict(spelled)


class Prepared:
    """A statement that gives no rows, put into words once for each kind of database."""

    def __init__(self, statement: UpdateBase) -> None:
        self._statement = statement
        self._words: dict[str, _Words] = {}

    def run(self, connection: Connection, given: Mapping[str, Any]) -> CursorResult[Any]:
        """Run it in the transaction of *connection* with the values *given*."""
        dialect = connection.dialect
        words = self._words.get(dialect.name)
        if words is None:
            words = self._words[dialect.name] = _worded(self._statement, dialect)
        return connection.exec_driver_sql(words.text, words.values(given))


def _worded(statement: UpdateBase, dialect: Dialect) -> _Words:
    compiled = statement.compile(dialect=dialect)
    if not isinstance(compiled, SQLCompiler):
        raise Illegal(f"{statement} gives no SQL")
    binds, order = compiled.binds, compiled.positiontup
    given = tuple(
        (name, binds[name].value, binds[name].type.dialect_impl(dialect).bind_processor(dialect))
        for name in (binds if order is None else order)
    )
    return _Words(compiled.string, given, order is not None)
