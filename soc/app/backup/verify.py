"""Prove that a backup is whole, by reading all of it again."""

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from soc.app import home as homes
from soc.app.backup import manifest
from soc.app.backup.manifest import EVENTS, NAME, SEAL, STORE, Manifest, digest_of
from soc.errors import BackupError, LogError, StoreError
from soc.logs.chain import Chain
from soc.logs.reader import LogReader
from soc.store import snapshot


@contextmanager
def opened(backup: Path) -> Iterator[Path]:
    """Give the folder that *backup* is, or holds if it is a file; raises BackupError."""
    if backup.is_dir():
        yield backup
        return
    if not backup.is_file():
        raise BackupError(f"{backup}: there is no such backup")
    with TemporaryDirectory() as folder:
        try:
            with tarfile.open(backup, "r:") as tar:
                tar.extractall(folder, filter="data")
        except (tarfile.TarError, EOFError) as broken:
            raise BackupError(f"{backup}: is damaged: {broken}") from broken
        yield Path(folder)


def problems(place: Path) -> list[str]:
    """Return everything that is wrong with the backup in the folder *place*, naming each file."""
    try:
        found = manifest.read(place)
    except BackupError as wrong:
        return [str(wrong)]
    if found.home_format > homes.FORMAT:
        return [f"{NAME}: of home format {found.home_format}: use the version that made it"]
    files = list(_files(place, found))
    # What lies deeper is only read where the files are what they were.
    return files or [*_events(place, found), *_store(place, found)]


def _files(place: Path, found: Manifest) -> Iterator[str]:
    known = {NAME, SEAL} | {one.path for one in found.files}
    for path in sorted(path for path in place.rglob("*") if not path.is_dir()):
        if (name := path.relative_to(place).as_posix()) not in known:
            yield f"{name}: is not in the manifest"
    for one in found.files:
        path = place / one.path
        if not path.is_file():
            yield f"{one.path}: is missing"
        elif (size := path.stat().st_size) != one.bytes:
            yield f"{one.path}: is {size} bytes long, not {one.bytes}"
        elif digest_of(path) != one.sha256:
            yield f"{one.path}: is not what was written"


def _events(place: Path, found: Manifest) -> Iterator[str]:
    events = place / EVENTS
    digests = {one.path: one.sha256 for one in found.files}
    try:
        chain = Chain(events / "chain", whole=True)
        chain.check()
        for segment in chain.state().live:
            name = f"{EVENTS}/seg/{segment.path}"
            if digests.get(name) != segment.sha256:
                yield f"{name}: is not the segment that the chain names"
        if (last := LogReader(events).view().upto) != found.last_seq:
            yield f"{EVENTS}: ends with number {last}, not {found.last_seq}"
    except LogError as broken:
        yield str(broken)


def _store(place: Path, found: Manifest) -> Iterator[str]:
    try:
        revision, tables, wrong = snapshot.look(place / STORE)
    except StoreError as broken:
        yield f"{STORE}: {broken}"
        return
    yield from (f"{STORE}: {said}" for said in wrong)
    if revision != found.revision:
        yield f"{STORE}: has revision {revision}, not {found.revision}"
    elif tables != found.tables:
        yield f"{STORE}: its rows are not those that were written"
