"""Open the store. Nothing else in the suite begins, commits or rolls back."""

from collections.abc import Iterator
from contextlib import contextmanager
from sqlite3 import Connection as SQLite

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, event
from sqlmodel import Session, create_engine

Database = Engine
"""Where the store is kept: SQLite in one file, or PostgreSQL."""

MIGRATIONS = "soc.store:migrations"


def connect(url: str) -> Database:
    """Return the database at *url*, brought to the newest schema."""
    database = create_engine(url, connect_args=_arguments(url))
    if database.dialect.name == "sqlite":
        _prepare(database)
    _migrate(database)
    return database


@contextmanager
def session(database: Database) -> Iterator[Session]:
    """Give one transaction: committed when the block ends well, undone when it raises."""
    with Session(database, expire_on_commit=False) as opened, opened.begin():
        yield opened


@contextmanager
def reading(database: Database) -> Iterator[Session]:
    """Give one consistent look at the store; nothing that is written in it is kept."""
    with (
        database.connect().execution_options(soc_reading=True) as connection,
        Session(connection, expire_on_commit=False) as opened,
    ):
        yield opened
        opened.expunge_all()


def _arguments(url: str) -> dict[str, object]:
    return {"timeout": 30} if url.startswith("sqlite") else {}


def _migrate(database: Database) -> None:
    """Bring the schema to the newest revision; ask nothing if it is there already."""
    config = Config()
    config.set_main_option("script_location", MIGRATIONS)
    config.set_main_option("path_separator", "os")
    head = ScriptDirectory.from_config(config).get_current_head()
    with reading(database) as opened:
        current = MigrationContext.configure(opened.connection()).get_current_revision()
    if current != head:
        with database.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


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
