"""Take the whole store into one SQLite file, whatever database it is in, while others write."""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from soc.errors import StoreError
from soc.store import schema, transfer
from soc.store.engine import SQLITE, Database, engine_of
from soc.store.failure import told
from soc.store.session import connect
from soc.store.transfer import Held


def take(database: Database, file: Path) -> None:
    """Write what *database* holds at one moment into the new *file*; raises StoreError.

    It is one file without companions, and only its owner may read it.
    """
    file.touch(mode=0o600, exist_ok=False)
    if database.dialect.name == SQLITE:
        _copy_file(str(database.url.database), file)
        return
    copied = connect(f"sqlite:///{file}")
    try:
        transfer.copy(database, copied, is_still=False)
    finally:
        copied.dispose()
    with closing(sqlite3.connect(file)) as made:
        _close_up(made)


def look(file: Path) -> tuple[str | None, tuple[Held, ...], list[str]]:
    """Return revision and tables of the SQLite store in *file*, and what SQLite finds wrong in it.

    Raises StoreError if it is none.
    """
    # Immutable: looking leaves no mark beside a file that may be a backup.
    database = engine_of(f"sqlite:///file:{quote(str(file))}?mode=ro&immutable=1&uri=true")
    try:
        with told(database), database.connect() as plain:
            connection = plain.execution_options(soc_reading=True)
            checked = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
            revision = schema.revision_of(connection)
        wrong = [str(said) for said in checked if said != "ok"]
        return revision, transfer.held(database) if revision else (), wrong
    finally:
        database.dispose()


def _copy_file(source: str, file: Path) -> None:
    try:
        with closing(sqlite3.connect(source)) as given, closing(sqlite3.connect(file)) as taken:
            given.backup(taken)
            _close_up(taken)
    except sqlite3.Error as failed:
        raise StoreError(f"{source}: {failed}: the store could not be copied") from failed


def _close_up(made: sqlite3.Connection) -> None:
    """Put everything into the one file: with a log beside it, half of it could be forgotten."""
    made.execute("PRAGMA journal_mode=DELETE")
