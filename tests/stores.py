"""A store with the newest schema, made once and copied: migrating one for each test takes long."""

import atexit
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from soc.store.session import connect


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
