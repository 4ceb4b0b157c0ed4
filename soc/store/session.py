"""Open the store. Nothing else in the suite begins, commits or rolls back."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Connection as SQLite

from sqlalchemy import Connection, Engine, event, inspect, text
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
    """Bring the schema to the newest revision; load nothing if it is there already."""
    versions = Path(__file__).with_name("migrations") / "versions"
    newest = max(path.name.partition("_")[0] for path in versions.glob("0*.py"))
    if _revision(database) == newest:
        return
    from alembic import command  # takes longer than all else a command does
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", MIGRATIONS)
    config.set_main_option("path_separator", "os")
    with database.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _revision(database: Database) -> str | None:
    with reading(database) as opened:
        connection = opened.connection()
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


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
