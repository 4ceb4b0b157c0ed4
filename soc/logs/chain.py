"""The chain: which segments count, each entry holding the hash of the one before.

An entry is written last, when its files are durable, so what is not in the chain does not exist.
"""

import hashlib
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from soc.errors import LogError
from soc.logs.files import write_durably
from soc.model.value import Utc, Value

START = "sha256:" + "0" * 64


class Segment(Value):
    """One Parquet file: rows of one class and one day of intake; paths are relative."""

    path: str
    data_class: str
    day: date
    rows: int
    first: int
    last: int
    min_ts: Utc
    max_ts: Utc
    sha256: str
    bytes: int


class Entry(Value):
    """One change of what is stored.

    seal: numbers first to last became segments. drop: segments were removed, by whom and why.
    """

    kind: Literal["seal", "drop"]
    number: Annotated[int, Field(ge=1)]
    at: Utc
    previous: str
    first: int
    last: int
    segments: tuple[Segment, ...]
    reason: str = ""


class Chain:
    """The entries under one folder; any process reads them, the lock's holder appends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._entries: list[Entry] = []
        self._head = START

    def entries(self) -> list[Entry]:
        """Return all entries, oldest first; raises LogError where the chain is broken."""
        while (path := self._path(len(self._entries) + 1)).is_file():
            data = path.read_bytes()
            entry = Entry.model_validate_json(data)
            if entry.previous != self._head or entry.number != len(self._entries) + 1:
                raise LogError(f"{path}: does not follow the entry before it: restore a backup")
            self._entries.append(entry)
            self._head = "sha256:" + hashlib.sha256(data).hexdigest()
        return list(self._entries)

    def append(
        self,
        kind: Literal["seal", "drop"],
        segments: Sequence[Segment],
        numbers: tuple[int, int],
        at: datetime,
        reason: str = "",
    ) -> Entry:
        """Record that *segments* came or went; return when it is on the disk."""
        entry = Entry(
            kind=kind,
            number=len(self.entries()) + 1,
            at=at,
            previous=self._head,
            first=numbers[0],
            last=numbers[1],
            segments=tuple(segments),
            reason=reason,
        )
        write_durably(self._path(entry.number), entry.model_dump_json().encode())
        return entry

    def sealed(self) -> int:
        """Return the last number that lies, or lay, in a segment."""
        return max((entry.last for entry in self.entries() if entry.kind == "seal"), default=0)

    def live(self) -> list[Segment]:
        """Return the segments that were sealed and not dropped, by number."""
        gone = {s.path for entry in self.entries() if entry.kind == "drop" for s in entry.segments}
        kept = [s for e in self.entries() if e.kind == "seal" for s in e.segments]
        return sorted((s for s in kept if s.path not in gone), key=lambda s: (s.first, s.path))

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:012d}.json"
