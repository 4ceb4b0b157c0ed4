"""Stores with the newest schema, and homes, made once and copied: each anew takes long."""

import atexit
import shutil
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from soc.app import home as homes
from soc.app.home import Home
from soc.app.suite import Suite
from soc.store.session import Database, connect, in_memory


@cache
def migrated() -> Path:
    """Return the file of an empty SQLite store with the newest schema; nobody else writes to it."""
    folder = Path(mkdtemp(prefix="soc-store-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    connect(f"sqlite:///{folder}/store.db").dispose()
    return folder / "store.db"


def copied(url: str) -> str:
    """Put a copy where *url*, ``sqlite:///FILE``, says, and return it."""
    path = Path(url.removeprefix("sqlite:///"))
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(migrated(), path)
    return url


def home(path: Path) -> Home:
    """Make a home at *path* as one is left by a suite that ran: migrated, our rules compiled."""
    made = homes.create(path)
    copied(made.database)
    shutil.copytree(_compiled(), made.path / "cache")
    return made


@cache
def _compiled() -> Path:
    """Return a folder of what our rules were compiled to; nobody else writes to it."""
    made = homes.create(migrated().parent / "home")
    copied(made.database)
    suite = Suite(made.path)
    _ = suite.rules
    suite.database.dispose()
    return made.path / "cache"


def blank() -> Database:
    """Return the store in memory of this process, empty: a new one compiles each statement anew."""
    new, database = in_memory(), _in_memory()
    with closing(new.raw_connection()) as empty, closing(database.raw_connection()) as filled:
        empty.cursor().connection.backup(filled.cursor().connection)
    new.dispose()
    return database


_in_memory = cache(in_memory)
