"""Make a home of a backup."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import yaml

from soc import audit
from soc.app import home as homes
from soc.app.backup import manifest
from soc.app.backup.manifest import HOME, Manifest
from soc.app.backup.verify import opened, problems
from soc.app.home import Home
from soc.clock import Clock
from soc.content.document import Document
from soc.errors import BackupError
from soc.logs.files import sync_file, sync_folder
from soc.settings import read as read_settings
from soc.store import transfer
from soc.store.session import connect, session

FORMAT = f"{HOME}/format"


def restore(backup: Path, to: Path, store: str | None, actor: str, clock: Clock) -> Manifest:
    """Make the home that *backup* is of, in the empty or new folder *to*.

    store: URL of an empty database that the store goes into, instead of a file in the home; it is
    needed where settings name one, which may still be in use. Raises BackupError for a backup that
    is not whole, naming what is wrong, and for a folder that is not empty.
    """
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise BackupError(f"{to} holds something: name an empty or a new directory")
    with opened(backup) as place:
        if wrong := problems(place):
            raise BackupError("\n".join(wrong))
        found = manifest.read(place)
        _require_store(place / HOME / "settings.yml", store)
        home = Home(to.resolve())
        with _all_or_nothing(home.path):
            _put(place, home, found)
            _place_store(home, store)
            _tell(store or home.database, found, actor, clock)
            # The file that makes it a home comes last: what stopped before is none.
            shutil.copyfile(place / FORMAT, home.path / "format")
            sync_folder(home.path)
    homes.find(home.path)
    return found


@contextmanager
def _all_or_nothing(folder: Path) -> Iterator[None]:
    """Empty *folder* again if the block raises."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.callback(_empty, folder)
        yield
        stack.pop_all()


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _require_store(settings: Path, store: str | None) -> None:
    if read_settings(settings).store.url and not store:
        reason = "settings name a store, which may still be in use"
        raise BackupError(f"store.url: {reason}: give an empty one with --store URL")


def _put(place: Path, home: Home, found: Manifest) -> None:
    home.path.chmod(0o700)
    folders = sorted(path for path in (place / HOME).rglob("*") if path.is_dir())
    for folder in folders:
        (home.path / folder.relative_to(place / HOME)).mkdir(mode=0o700)
    for one in found.files:
        if one.path == FORMAT:
            continue
        target = home.path / Path(one.path).relative_to(HOME)
        target.touch(mode=0o600)
        shutil.copyfile(place / one.path, target)
        target.chmod(one.mode)
        sync_file(target)


def _place_store(home: Home, store: str | None) -> None:
    """Carry the restored store into the database *store*, and let settings say so."""
    if store is None:
        return
    source, target = connect(home.database), connect(store)
    try:
        transfer.copy(source, target)
    finally:
        source.dispose()
        target.dispose()
    for name in ("store.db", "store.db-wal", "store.db-shm"):
        (home.path / name).unlink(missing_ok=True)
    plain = Document(home.settings).plain
    given = dict(plain) if isinstance(plain, dict) else {}
    given["store"] = {"url": store}
    home.settings.chmod(0o600)  # it holds a password now
    home.settings.write_text(yaml.safe_dump(given, sort_keys=True, allow_unicode=True))


def _tell(url: str, found: Manifest, actor: str, clock: Clock) -> None:
    database = connect(url)
    try:
        with session(database) as writing:
            name = f"backup:{found.made.isoformat()}"
            act = audit.Act(at=clock.now(), actor=actor, action="backup.restore", object=name)
            audit.record(writing, act)
    finally:
        database.dispose()
