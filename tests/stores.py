"""Stores with the newest schema, made once and copied: migrating one for each test takes long."""

import atexit
import shutil
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

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


def blank() -> Database:
    """Return the store in memory of this process, empty: a new one compiles each statement anew."""
    new, database = in_memory(), _in_memory()
    with closing(new.raw_connection()) as empty, closing(database.raw_connection()) as filled:
        empty.cursor().connection.backup(filled.cursor().connection)
    new.dispose()
    return database


_in_memory = cache(in_memory)
