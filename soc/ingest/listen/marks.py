"""How far each file was read: kept in one small file, replaced as a whole after each batch."""

import os
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from soc.errors import HomeError
from soc.model.value import Value

KIB = 1024


class Mark(Value):
    """How far one file was read. pattern: which found it.

    head: digest of its first line, of the first KiB at most: with device and number it says that it
    is the same file, also while it grows. generation: how often it was emptied and written anew.
    offset: of the first byte not yet taken. skips: whether what follows belongs to a line too long.
    """

    path: str
    pattern: str
    device: int
    inode: int
    head: str
    generation: Annotated[int, Field(ge=0)] = 0
    offset: Annotated[int, Field(ge=0)] = 0
    skips: bool = False

    @property
    def key(self) -> tuple[int, int]:
        """Return what the file system knows the file by."""
        return self.device, self.inode

    def id_at(self, offset: int) -> str:
        """Return the id of the line at *offset*: the same whenever it is read again."""
        return f"file:{self.device}:{self.inode}:{self.head}:{self.generation}:{offset}"


class Marks(Value):
    """All marks of an installation."""

    files: tuple[Mark, ...] = ()


def head_of(data: bytes) -> str | None:
    """Return the digest of the first line in *data*; None while it is not whole."""
    first, ended, _ = data[:KIB].partition(b"\n")
    if not ended and len(data) < KIB:
        return None
    return sha256(first).hexdigest()[:16]


def read(path: Path) -> dict[tuple[int, int], Mark]:
    """Return the marks kept at *path*; raises HomeError if they cannot be read."""
    try:
        found = Marks.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValidationError) as broken:
        reason = "move it away, and all files are read again: what is stored is known by its ids"
        raise HomeError(f"{path} cannot be read: {reason}") from broken
    return {mark.key: mark for mark in found.files}


def keep(path: Path, marks: Iterable[Mark]) -> None:
    """Put *marks* in the place of those at *path*, all or none."""
    whole = Marks(files=tuple(sorted(marks, key=lambda mark: mark.key)))
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_suffix(".tmp")
    with written.open("wb") as file:
        file.write(whole.model_dump_json(indent=1).encode())
        file.flush()
        os.fsync(file.fileno())
    written.replace(path)
