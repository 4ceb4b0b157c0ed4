"""Statements that are asked so often that putting them into words each time would be felt."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, CursorResult, Dialect, Select, UpdateBase
from sqlalchemy.sql.compiler import SQLCompiler

from soc.errors import Illegal

Spelled = Callable[[Any], Any]
Statement = UpdateBase | Select[Any]


@dataclass(frozen=True, slots=True)
class _Words:
    """A statement as one database takes it. spelled: how each value is, in its order."""

    text: str
    fixed: Mapping[str, Any]
    spelled: tuple[tuple[str, Spelled | None], ...]
    is_positional: bool

    def values(self, given: Mapping[str, Any]) -> Any:  # noqa: ANN401 - what drivers take
        """Return *given* as the driver takes it; raises KeyError for what is missing."""
        all_of = {**self.fixed, **given}
        if self.is_positional:
            return tuple(
                spell(all_of[name]) if spell else all_of[name] for name, spell in self.spelled
            )
        return {
            name: spell(all_of[name]) if spell else all_of[name] for name, spell in self.spelled
        }


class Prepared:
    """A statement that is put into words once for each kind of database.

    What it gives comes as the driver gives it: not for moments, which SQLite keeps as text.
    """

    def __init__(self, statement: Statement) -> None:
        self._statement = statement
        self._words: dict[str, _Words] = {}

    def run(self, connection: Connection, given: Mapping[str, Any]) -> CursorResult[Any]:
        """Run it in the transaction of *connection* with the values *given*."""
        dialect = connection.dialect
        words = self._words.get(dialect.name)
        if words is None:
            words = self._words[dialect.name] = _worded(self._statement, dialect)
        return connection.exec_driver_sql(words.text, words.values(given))


def _worded(statement: Statement, dialect: Dialect) -> _Words:
    compiled = statement.compile(dialect=dialect)
    if not isinstance(compiled, SQLCompiler):
        raise Illegal(f"{statement} gives no SQL")
    binds = {name: bind for bind, name in compiled.bind_names.items()}
    names = binds if compiled.positiontup is None else compiled.positiontup
    types = {name: bind.type.dialect_impl(dialect) for name, bind in binds.items()}
    return _Words(
        compiled.string,
        {name: bind.value for name, bind in binds.items() if not bind.required},
        tuple((name, types[name].bind_processor(dialect)) for name in names),
        compiled.positiontup is not None,
    )
