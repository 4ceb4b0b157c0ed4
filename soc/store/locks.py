"""Let one transaction at a time do what must not be done twice at once.

SQLite's writers take turns anyway; PostgreSQL's hold a lock that has the name of the thing, and
let it go when they commit. Take it before reading what will be changed.
"""

from hashlib import sha256

from sqlalchemy import Connection, func, select
from sqlmodel import Session, SQLModel

from soc.store.engine import POSTGRESQL


def alone(session: Session, what: str) -> None:
    """Wait until no other transaction does *what*; it is this one's until its end."""
    hold(session.connection(), what)


def hold(connection: Connection, what: str) -> None:
    """Wait for the lock *what*, and keep it until the transaction of *connection* ends."""
    if connection.dialect.name == POSTGRESQL:
        connection.execute(select(func.pg_advisory_xact_lock(_number(what))))


def put_new(session: Session, row: SQLModel) -> None:
    """Put *row* into its table, or leave the one that has its key: another was faster."""
    table = type(row)
    alone(session, f"new {table.__name__}")
    key = tuple(getattr(row, column.name) for column in table.__table__.primary_key)  # type: ignore[attr-defined]
    if session.get(table, key) is None:
        session.add(row)
        session.flush()


def _number(what: str) -> int:
    return int.from_bytes(sha256(what.encode()).digest()[:8], signed=True)
