"""Make a backup while the installation is at work."""

import os
import shutil
import stat
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from soc import audit
from soc.app import home as homes
from soc.app.backup import manifest
from soc.app.backup.manifest import EVENTS, HOME, STORE, Manifest, file_of
from soc.app.presence import NAME as PRESENCE
from soc.app.suite import Suite
from soc.errors import BackupError
from soc.logs import copying
from soc.logs.files import sync_file, sync_folder
from soc.store import snapshot
from soc.store.session import session

TAR = ".tar"
APART = frozenset({"events", "store.db", "store.db-wal", "store.db-shm", "soc.sock", PRESENCE})
"""What in a home is copied in its own way, or belongs to running processes."""


def create(suite: Suite, out: Path, actor: str) -> Manifest:
    """Back up the home of *suite* into *out*, a new folder, or a file if it ends in ``.tar``.

    The store is copied before the events: a detector may find again what it has judged already,
    but no event comes after a restore that it believes to have judged. Raises BackupError.
    """
    with _place(suite, out) as place:
        home = place / HOME
        home.mkdir(mode=0o700)
        for path in sorted(suite.home.path.iterdir()):
            if path.name not in APART:
                _take(path, home / path.name)
        snapshot.take(suite.database, place / STORE)
        last = copying.copy(suite.home.events, place / EVENTS)
        found = _describe(suite, place, last)
        manifest.write(place, found)
    with session(suite.database) as writing:
        detail: dict[str, str | int | bool | None] = {"last_seq": last}
        act = audit.Act(
            at=suite.clock.now(), actor=actor, action="backup.create", object=f"backup:{out.name}",
            detail=detail,
        )  # fmt: skip
        audit.record(writing, act)
    return found


def _describe(suite: Suite, place: Path, last: int) -> Manifest:
    revision, tables, wrong = snapshot.look(place / STORE)
    if wrong or revision is None:
        raise BackupError(f"the store is damaged: {'; '.join(wrong) or 'it has no tables'}")
    files = sorted(path for path in place.rglob("*") if path.is_file())
    return Manifest(
        made=suite.clock.now(),
        home_format=homes.FORMAT,
        store="sqlite" if suite.database.dialect.name == "sqlite" else "postgresql",
        revision=revision,
        tables=tables,
        last_seq=last,
        files=tuple(file_of(place, path) for path in files),
    )


@contextmanager
def _place(suite: Suite, out: Path) -> Iterator[Path]:
    """Give a folder that becomes *out* when it is whole, and is gone if it never is."""
    if out.exists():
        raise BackupError(f"{out} is there already: name a new one")
    if out.resolve().is_relative_to(suite.home.path):
        raise BackupError(f"{out} lies in the home: a backup must outlive it")
    place = out.with_name(f"{out.name}.part")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(mode=0o700)
    try:
        yield place
        if out.suffix == TAR:
            _pack(place, out)
        else:
            _settle(place)
            place.rename(out)
        sync_folder(out.resolve().parent)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _take(source: Path, target: Path) -> None:
    """Copy what *source* is, with its permissions; a socket or a link elsewhere is left out."""
    mode = source.lstat().st_mode
    if stat.S_ISDIR(mode):
        target.mkdir(mode=0o700)
        for path in sorted(source.iterdir()):
            _take(path, target / path.name)
    elif stat.S_ISREG(mode):
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            shutil.copyfile(source, target)
        except FileNotFoundError:  # it was there a moment ago: a draft that got its name
            target.unlink()
        else:
            target.chmod(stat.S_IMODE(mode))


def _pack(place: Path, out: Path) -> None:
    draft = out.with_name(f"{out.name}.draft")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file, tarfile.open(fileobj=file, mode="w") as tar:
        for path in sorted(place.rglob("*")):
            tar.add(path, path.relative_to(place).as_posix(), recursive=False)
    sync_file(draft)
    draft.rename(out)


def _settle(place: Path) -> None:
    for path in sorted(place.rglob("*")):
        if path.is_dir():
            sync_folder(path)
        else:
            sync_file(path)
