"""Say what is wrong with the store, and never its password."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DatabaseError, InterfaceError, OperationalError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as NoneLeft

from soc.errors import StoreError
from soc.store.engine import Database

KEPT = "nothing of this change was kept, or, if it was lost at its very end, all of it"
BUSY = frozenset({"40001", "40P01", "55P03"})
"""SQLSTATE of a transaction that another one was in the way of: it may be tried again."""


@contextmanager
def told(database: Database) -> Iterator[None]:
    """Raise StoreError, with the reason, for what the store itself could not do.

    A row that breaks a constraint is another matter: IntegrityError stays what it is.
    """
    try:
        yield
    except NoneLeft as full:
        raise StoreError(f"{name_of(database)}: all its connections are in use") from full
    except PendingRollbackError as lost:
        raise StoreError(f"{name_of(database)}: its connection was lost; {KEPT}") from lost
    except (OperationalError, InterfaceError) as failed:
        raise StoreError(_reason(database, failed)) from failed
    except DatabaseError as failed:
        if not failed.connection_invalidated and type(failed) is not DatabaseError:
            raise
        raise StoreError(_reason(database, failed)) from failed


def name_of(database: Database) -> str:
    """Return where *database* is, as people may read it."""
    shown = database.url.set(drivername=database.dialect.name)
    return f"the store {shown.render_as_string(hide_password=True)}"


def _reason(database: Database, failed: OperationalError | InterfaceError | DatabaseError) -> str:
    lines = str(failed.orig).strip().splitlines() or [type(failed.orig).__name__]
    said = lines[0]
    if database.url.password:
        said = said.replace(str(database.url.password), "***")
    if getattr(failed.orig, "sqlstate", None) in BUSY:
        return f"{name_of(database)} was busy with another change ({said}): try again"
    return f"{name_of(database)}: {said}; {KEPT}"
