"""Bring a database to the newest schema, once, however many processes start together."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from soc.errors import StoreError
from soc.store.engine import POSTGRESQL, Database
from soc.store.failure import name_of
from soc.store.locks import hold

MIGRATIONS = "soc.store:migrations"
OTHER_ORDER = text(
    "SELECT table_name, column_name, data_type FROM information_schema.columns "
    "WHERE table_schema = current_schema() AND data_type IN ('text', 'character varying') "
    "AND collation_name IS DISTINCT FROM 'C' ORDER BY table_name, column_name"
)


def newest() -> str:
    """Return the revision that this version of the suite works with."""
    versions = Path(__file__).with_name("migrations") / "versions"
    return max(path.name.partition("_")[0] for path in versions.glob("0*.py"))


def revision_of(connection: Connection) -> str | None:
    """Return the revision of a database, or None before the first one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return str(found) if found else None


def migrate(database: Database) -> None:
    """Bring the schema to the newest revision; load nothing if it is there already.

    Raises StoreError for one that a newer version of the suite made.
    """
    with database.connect().execution_options(soc_reading=True) as looking:
        revision = revision_of(looking)
    if revision == newest():
        return
    if revision and revision > newest():
        at = f"{name_of(database)} has revision {revision}, newer than {newest()}"
        raise StoreError(f"{at}: use the version of the suite that made it")
    from alembic import command  # takes longer than all else a command does
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", MIGRATIONS)
    config.set_main_option("path_separator", "os")
    with database.begin() as connection:
        # Who waits here finds the work done: the revision is read again behind the lock.
        hold(connection, "schema")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        if connection.dialect.name == POSTGRESQL:
            _order_as_bytes(connection)


def _order_as_bytes(connection: Connection) -> None:
    """Let every text compare as in SQLite and Python, whatever the language of the server."""
    quote = connection.dialect.identifier_preparer.quote
    for table, column, kind in connection.execute(OTHER_ORDER).all():
        name = quote(column)
        change = f'ALTER COLUMN {name} TYPE {kind} COLLATE "C"'
        connection.exec_driver_sql(f"ALTER TABLE {quote(table)} {change}")
