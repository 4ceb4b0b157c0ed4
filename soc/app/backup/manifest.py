"""What a backup holds: every file with its size and digest, and what must be true of them."""

import hashlib
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator

from soc.errors import BackupError
from soc.model.value import Utc, Value
from soc.store.transfer import Held

NAME = "manifest.json"
SEAL = "manifest.sha256"
"""Digest of the manifest itself: a byte of it may rot as well."""
HOME = "home"
STORE = "home/store.db"
EVENTS = "home/events"
PART = 1 << 20


class File(Value):
    """One file of a backup. mode: permissions, as a number."""

    path: str
    bytes: Annotated[int, Field(ge=0)]
    sha256: str
    mode: Annotated[int, Field(ge=0, le=0o777)]

    @field_validator("path")
    @classmethod
    def _inside(cls, given: str) -> str:
        parts = PurePosixPath(given).parts
        if parts[:1] != (HOME,) or ".." in parts:
            raise ValueError(f"lies outside of {HOME}")
        return given


class Manifest(Value):
    """What was backed up, and how it was then.

    store: which database it was in; in the backup it is always a SQLite file. last_seq: number of
    the last event.
    """

    format: Literal["commonwatch.backup/1"] = "commonwatch.backup/1"
    made: Utc
    home_format: int
    store: Literal["sqlite", "postgresql"]
    revision: str
    tables: tuple[Held, ...]
    last_seq: int
    files: tuple[File, ...]


def file_of(root: Path, path: Path) -> File:
    """Return what the manifest of the backup at *root* says of *path*."""
    return File(
        path=path.relative_to(root).as_posix(),
        bytes=path.stat().st_size,
        sha256=digest_of(path),
        mode=path.stat().st_mode & 0o777,
    )


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, as hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(PART):
            digest.update(part)
    return digest.hexdigest()


def write(root: Path, manifest: Manifest) -> None:
    """Write *manifest* into the backup at *root*, last of all: without it there is no backup."""
    text = manifest.model_dump_json(indent=1).encode()
    for name, data in ((SEAL, hashlib.sha256(text).hexdigest().encode()), (NAME, text)):
        (root / name).touch(mode=0o600)
        (root / name).write_bytes(data)


def read(root: Path) -> Manifest:
    """Return the manifest of the backup at *root*; raises BackupError, which names the file."""
    try:
        text, seal = (root / NAME).read_bytes(), (root / SEAL).read_bytes()
    except OSError as missing:
        raise BackupError(f"{missing.filename}: is missing: this is no whole backup") from missing
    if hashlib.sha256(text).hexdigest().encode() != seal.strip():
        raise BackupError(f"{root / NAME}: is not what {SEAL} says")
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as other:
        raise BackupError(
            f"{root / NAME}: is of another format: use the version of the suite that made it"
        ) from other
