"""Open the store. Nothing else in the suite begins, commits or rolls back."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache, cached_property

from sqlalchemy import Connection
from sqlmodel import Session, SQLModel

from soc.errors import StoreError
from soc.store import schema
from soc.store.engine import POSTGRESQL, Database, engine_of, memory
from soc.store.failure import told

__all__ = ["Database", "Transaction", "connect", "in_memory", "reading", "session", "transaction"]


def connect(url: str) -> Database:
    """Return the database at *url*, brought to the newest schema; raises StoreError."""
    database = engine_of(url)
    try:
        with told(database):
            schema.migrate(database)
    except StoreError:
        database.dispose()
        raise
    return database


def in_memory() -> Database:
    """Return an empty store of the newest schema that is gone with the process."""
    database = memory()
    with closing(database.raw_connection()) as made, closing(_empty().raw_connection()) as pattern:
        pattern.cursor().connection.backup(made.cursor().connection)
    return database


@cache
def _empty() -> Database:
    """Return what each store in memory is a copy of: making tables takes much longer."""
    database = memory()
    SQLModel.metadata.create_all(database)
    return database


@contextmanager
def session(database: Database) -> Iterator[Session]:
    """Give one transaction: committed when the block ends well, undone when it raises.

    Each statement sees what others had committed when it began. What is read to be changed is
    locked first, by *alone* or ``with_for_update``: SQLite's writers take turns anyway. Raises
    StoreError if the store is lost meanwhile.
    """
    with told(database), Session(database, expire_on_commit=False) as opened, opened.begin():
        yield opened


class Transaction:
    """A transaction that opens a session when it is first asked for one: many need none."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @cached_property
    def session(self) -> Session:
        """Return the session of this transaction."""
        return Session(self.connection, expire_on_commit=False)

    def flush(self) -> None:
        """Write what is open in the session, if there is one."""
        if "session" in self.__dict__:
            self.session.flush()

    def close(self) -> None:
        """Let go of all rows."""
        if "session" in self.__dict__:
            self.session.close()


@contextmanager
def transaction(database: Database) -> Iterator[Transaction]:
    """Give one transaction as *session* does, to whom opening a session would cost too much."""
    with told(database), database.begin() as connection:
        opened = Transaction(connection)
        with closing(opened):
            yield opened
            opened.flush()


@contextmanager
def reading(database: Database) -> Iterator[Session]:
    """Give one consistent look at the store; nothing that is written in it is kept.

    Raises StoreError if the store is lost meanwhile.
    """
    with (
        told(database),
        _looking(database.connect()) as connection,
        Session(connection, expire_on_commit=False) as opened,
    ):
        yield opened
        opened.expunge_all()


def _looking(connection: Connection) -> Connection:
    if connection.dialect.name == POSTGRESQL:
        return connection.execution_options(isolation_level="REPEATABLE READ")
    return connection.execution_options(soc_reading=True)
