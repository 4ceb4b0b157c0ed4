"""Reach a database: one SQLite file, or PostgreSQL."""

import os
from sqlite3 import Connection as SQLite
from typing import Any
from weakref import finalize

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry, StaticPool
from sqlmodel import create_engine

from soc.clock import monotonic
from soc.errors import StoreError

Database = Engine
"""Where the store is kept: SQLite in one file, or PostgreSQL."""

SQLITE = "sqlite"
POSTGRESQL = "postgresql"
WRITTEN = "write sqlite:///FILE or postgresql://USER:PASSWORD@HOST:PORT/NAME"
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
"""What stands in PostgreSQL for a NUL, which its text cannot hold."""
PATIENCE = 30
"""Seconds that a transaction waits for the lock of another one."""
REACH = 10
"""Seconds that a connection may take to come about."""
RESTED = 0.1
"""Seconds after which a connection is tried before it is used: no server starts anew in fewer."""
RESTS_SINCE = "rests since"
POOLED, AT_MOST = 5, 40
"""Connections that a process keeps, and has at most: a thread of the front door each."""


def engine_of(url: str) -> Database:
    """Return the database at *url*, not yet asked for anything; raises StoreError."""
    where = parsed(url)
    if where.get_backend_name() == SQLITE:
        database = create_engine(where, connect_args={"timeout": PATIENCE}, hide_parameters=True)
        _prepare(database)
        return database
    return _postgresql(where)


def memory() -> Database:
    """Return a database of one connection, in memory."""
    database = create_engine(
        "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
    )
    _prepare(database)
    return database


def parsed(url: str) -> URL:
    """Return *url* in its parts; raises StoreError, which does not repeat it."""
    try:
        where = make_url(url)
        backend = where.get_backend_name()
    except (ArgumentError, ValueError) as wrong:
        raise StoreError(f"this is no URL of a store: {WRITTEN}") from wrong
    if backend not in {SQLITE, POSTGRESQL}:
        raise StoreError(f"a store is no {backend}: {WRITTEN}")
    if not where.database:
        raise StoreError(f"the URL of the store names no database: {WRITTEN}")
    driver = "sqlite" if backend == SQLITE else "postgresql+psycopg"
    return where.set(drivername=driver)


def _postgresql(where: URL) -> Database:
    try:
        database = create_engine(
            where,
            connect_args={
                "connect_timeout": REACH,
                "application_name": f"soc {os.uname().nodename} {os.getpid()}",
                "options": f"-c lock_timeout={PATIENCE}s",
            },
            hide_parameters=True,
            isolation_level="READ COMMITTED",
            pool_size=POOLED,
            max_overflow=AT_MOST - POOLED,
        )
    except ModuleNotFoundError as missing:
        raise StoreError(
            "no driver for PostgreSQL: pip install 'commonwatch[postgres]'"
        ) from missing

    @event.listens_for(database, "connect")
    def take_every_text(connection: Any, _record: object) -> None:  # noqa: ANN401 - psycopg is an extra
        from soc.store.postgresql import NulFree  # psycopg is an extra

        connection.adapters.register_dumper(str, NulFree)

    _look_whether_it_stands(database)
    finalize(database, database.pool.dispose)  # who forgets to dispose still takes proper leave
    return database


def _look_whether_it_stands(database: Database) -> None:
    """Try a connection that rested before it is used: its server may have gone and come back."""

    @event.listens_for(database, "checkin")
    def rest(_connection: object, record: ConnectionPoolEntry) -> None:
        record.info[RESTS_SINCE] = monotonic()

    @event.listens_for(database, "checkout")
    def look(connection: DBAPIConnection, record: ConnectionPoolEntry, _lent: object) -> None:
        now = monotonic()
        if now - record.info.get(RESTS_SINCE, now) < RESTED:
            return
        try:
            database.dialect.do_ping(connection)
        except database.dialect.loaded_dbapi.Error as gone:
            raise InvalidatePoolError from gone


def _prepare(database: Database) -> None:
    """Let readers and one writer share SQLite.

    A writer takes the lock when its transaction begins: taken later, it fails at once.
    """

    @event.listens_for(database, "connect")
    def no_hidden_begin(connection: SQLite, _record: object) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(database, "begin")
    def begin(connection: Connection) -> None:
        reads = connection.get_execution_options().get("soc_reading")
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
