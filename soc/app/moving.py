"""Move the store of an installation into another database."""

from sqlalchemy import text

from soc import audit
from soc.app.presence import at_rest
from soc.app.suite import Suite
from soc.errors import StoreError
from soc.store import transfer
from soc.store.engine import POSTGRESQL, Database, parsed
from soc.store.failure import name_of
from soc.store.session import connect, reading, session
from soc.store.transfer import Held

OTHERS = text(
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND application_name LIKE 'soc %' "
    "AND application_name <> current_setting('application_name')"
)


def move_store(suite: Suite, url: str, actor: str) -> tuple[Held, ...]:
    """Copy the store of *suite* into the empty one at *url*; return what both hold.

    The installation stays with the old one until its setting ``store.url`` says otherwise. Raises
    HomeError while it is served or worked on, StoreError if the copy is refused or not the same.
    """
    if parsed(url) == parsed(suite.store_url):
        raise StoreError("this is where the store is already")
    with at_rest(suite.home):
        _require_alone(suite.database)
        target = connect(url)
        try:
            transfer.require_empty(target)
            now = suite.clock.now()
            with session(suite.database) as writing:
                act = audit.Act(at=now, actor=actor, action="store.copy", object=_object(target))
                audit.record(writing, act)
                audit.number(writing)
            return transfer.copy(suite.database, target)
        finally:
            target.dispose()


def _require_alone(database: Database) -> None:
    """Raise StoreError if a front door or a worker of another machine is connected."""
    if database.dialect.name != POSTGRESQL:
        return
    with reading(database) as looking:
        others = looking.connection().execute(OTHERS).scalar() or 0
    if others:
        raise StoreError(f"{name_of(database)} has {others} more connections of the suite: stop it")


def _object(target: Database) -> str:
    return f"store:{name_of(target).removeprefix('the store ')}"
