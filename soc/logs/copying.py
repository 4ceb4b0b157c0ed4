"""Copy an event store while another process writes to it."""

import hashlib
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from soc.errors import LogError
from soc.logs.chain import Chain, Segment
from soc.logs.reader import LogReader
from soc.logs.wal import SUFFIX

TRIES = 20
PART = 1 << 20


def copy(root: Path, target: Path) -> int:
    """Copy the event store at *root* into the new folder *target*; return the last number in it.

    Nobody has to wait. Write-ahead files come first, the chain after them and segments last: what
    is sealed meanwhile is copied twice and counts once, and nothing that was acknowledged before
    the call is missed. Raises LogError if the store is damaged: a segment that is not there, or
    not what the chain says. The copy is on the disk when the caller has synced it.
    """
    target.mkdir(mode=0o700)
    for folder in ("wal", "chain", "seg"):
        (target / folder).mkdir(mode=0o700)
    for path in sorted((root / "wal").glob(f"*{SUFFIX}")):
        with suppress(FileNotFoundError):  # sealed meanwhile: the chain will name its events
            _copy(path, target / "wal" / path.name)
    for path in _marks(root):
        _folder((target / path.relative_to(root)).parent)
        with suppress(FileNotFoundError):  # an older mark went meanwhile
            _copy(path, target / path.relative_to(root))
    live = _segments(root, target)
    wanted = {segment.path for segment in live}
    for path in sorted((target / "seg").rglob("*.parquet")):
        if path.relative_to(target / "seg").as_posix() not in wanted:
            path.unlink()
    return LogReader(target).view().upto


def _marks(root: Path) -> Iterable[Path]:
    """Return the files that say how far a store elsewhere is, and which fields have columns."""
    single = [root / name for name in ("promoted.json", "shipped.json", "shard.json")]
    return [path for path in (*single, *sorted(root.glob("ids/*"))) if path.is_file()]


def _segments(root: Path, target: Path) -> tuple[Segment, ...]:
    """Copy the chain and every segment that it says is stored; return these.

    A segment that went away was dropped or replaced, and a later entry of the chain says so.
    """
    chain, missing = Chain(target / "chain"), ""
    for _ in range(TRIES):
        copied = _entries(root / "chain", target / "chain")
        live = chain.state().live
        if missing and not copied and missing in {segment.path for segment in live}:
            raise LogError(f"{root / 'seg' / missing} is missing: restore a backup")
        missing = _first_missing(live, root / "seg", target / "seg")
        if not missing:
            return live
    raise LogError(f"{root}: segments change faster than they can be copied")


def _entries(source: Path, target: Path) -> int:
    """Copy the entries of the chain that are not in *target* yet, in order; return how many."""
    known = {path.name for path in target.glob("*.json")}
    fresh = sorted(path for path in source.glob("*.json") if path.name not in known)
    for path in fresh:
        _copy(path, target / path.name)
    return len(fresh)


def _first_missing(live: Iterable[Segment], source: Path, target: Path) -> str:
    """Copy the segments that are not in *target* yet; return the first that is not there."""
    for segment in live:
        place = target / segment.path
        if place.exists():
            continue
        _folder(place.parent)
        try:
            digest = _copy(source / segment.path, place)
        except FileNotFoundError:
            return segment.path
        if digest != segment.sha256:
            raise LogError(f"{source / segment.path} is not what the chain says: restore a backup")
    return ""


def _folder(path: Path) -> None:
    """Make the folder *path*, and those above it, for the owner alone."""
    if not path.is_dir():
        _folder(path.parent)
        path.mkdir(mode=0o700)


def _copy(source: Path, target: Path) -> str:
    """Copy one file, for its owner alone; return its SHA-256."""
    digest = hashlib.sha256()
    with source.open("rb") as given:
        draft = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(draft, "wb") as taken:
            while part := given.read(PART):
                digest.update(part)
                taken.write(part)
    shutil.copystat(source, target)
    target.chmod(0o600)
    return digest.hexdigest()
