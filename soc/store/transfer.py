"""Carry a whole store into another one, and prove that it arrived."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, Integer, Table, func, insert, select, text

from soc.errors import StoreError
from soc.model.value import Value
from soc.store import schema
from soc.store.engine import POSTGRESQL, REPLACEMENT, Database
from soc.store.failure import name_of, told
from soc.store.session import reading
from soc.store.tables import Alert

AT_ONCE = 1_000
"""Rows that are held in memory, and written by one statement."""
Rows = Iterator[Sequence[Mapping[str, Any]]]


class Held(Value):
    """What one table holds. sha256: over its rows, by primary key, whichever database has them."""

    table: str
    rows: int
    sha256: str


def held(database: Database) -> tuple[Held, ...]:
    """Return what every table of a store holds, in one consistent look."""
    with reading(database) as looking:
        connection = looking.connection()
        return tuple(_held(table, _rows(connection, table)) for table in tables())


def copy(source: Database, target: Database, *, is_still: bool = True) -> tuple[Held, ...]:
    """Copy every row of *source* into *target*, which is empty; return what both hold now.

    One consistent look, one transaction: what does not arrive whole does not arrive. Raises
    StoreError if *target* holds anything or is another schema, and, where *source* should be still,
    if it changed meanwhile.
    """
    with reading(source) as looking, told(target), target.begin() as writing:
        given = looking.connection()
        _require_fit(given, writing)
        sent = tuple(_send(table, given, writing) for table in tables())
        _continue_numbers(writing)
        arrived = tuple(_held(table, _rows(writing, table)) for table in tables())
        if differing := _differing(sent, arrived):
            raise StoreError(f"{differing} arrived otherwise than sent: nothing was kept")
        if is_still and (differing := _differing(sent, held(source))):
            raise StoreError(f"{differing} changed meanwhile: nothing was kept; stop what writes")
    return sent


def tables() -> list[Table]:
    """Return all tables, each after those that it refers to."""
    return Alert.metadata.sorted_tables


def require_empty(target: Database) -> None:
    """Do nothing if no table of *target* has rows; raise StoreError, which names one that has."""
    with reading(target) as looking:
        _require_empty(looking.connection())


def _require_fit(given: Connection, writing: Connection) -> None:
    here, there = schema.revision_of(given), schema.revision_of(writing)
    if here != there:
        raise StoreError(f"{name_of(writing.engine)} has revision {there}, the other one {here}")
    _require_empty(writing)


def _require_empty(there: Connection) -> None:
    for table in tables():
        if there.execute(select(table).limit(1)).first() is not None:
            raise StoreError(f"{name_of(there.engine)} is not empty: {table.name} has rows")


def _send(table: Table, given: Connection, writing: Connection) -> Held:
    def sending() -> Rows:
        for rows in _rows(given, table):
            writing.execute(insert(table), rows)
            yield rows

    return _held(table, sending())


def _rows(connection: Connection, table: Table) -> Rows:
    """Yield the rows of *table* by primary key, some at a time."""
    query = select(table).order_by(*table.primary_key.columns)
    found = connection.execute(query, execution_options={"yield_per": AT_ONCE})
    for some in found.mappings().partitions():
        yield [dict(row) for row in some]


def _held(table: Table, rows: Rows) -> Held:
    digest, count = hashlib.sha256(), 0
    for some in rows:
        for row in some:
            digest.update(_canonical([row[column.name] for column in table.columns]))
            count += 1
    return Held(table=table.name, rows=count, sha256=digest.hexdigest())


def _canonical(values: Sequence[object]) -> bytes:
    """Return a row as a line of JSON, without what one of the databases has to replace."""
    plain = [v.replace("\x00", REPLACEMENT) if isinstance(v, str) else v for v in values]
    return orjson.dumps(plain, option=orjson.OPT_APPEND_NEWLINE)


def _continue_numbers(writing: Connection) -> None:
    """Let numbers that the database gives continue after those that were copied."""
    if writing.dialect.name != POSTGRESQL:
        return  # SQLite continues after the highest by itself
    last = text("SELECT setval(pg_get_serial_sequence(:table, :column), :last)")
    for table in tables():
        column = table.autoincrement_column
        if column is None or not isinstance(column.type, Integer):
            continue
        highest = writing.execute(select(func.max(column))).scalar()
        if highest is not None:
            quoted = writing.dialect.identifier_preparer.format_table(table)
            names = {"table": quoted, "column": column.name, "last": highest}
            writing.execute(last, names)


def _differing(sent: Sequence[Held], arrived: Sequence[Held]) -> str:
    """Return the names of the tables that are not the same."""
    return ", ".join(one.table for one, other in zip(sent, arrived, strict=True) if one != other)
