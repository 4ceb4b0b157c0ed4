"""The chain: which segments count, each entry holding the hash of the one before.

An entry is written last, when its files are durable, so what is not in the chain does not exist.
"""

import hashlib
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from threading import RLock
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, ValidationError

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


class State(NamedTuple):
    """What the chain says: live segments by number, dropped paths, and the last number sealed."""

    live: tuple[Segment, ...]
    dropped: frozenset[str]
    sealed: int


class Chain:
    """The entries under one folder; any process reads them, the lock's holder appends.

    Each entry is read once, so a look costs only what is new. Any thread may look.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = RLock()
        self._count, self._head = 0, START
        self._live: dict[str, Segment] = {}
        self._state = State((), frozenset(), 0)

    def state(self) -> State:
        """Return what the chain says now; raises LogError where it is broken."""
        with self._lock:
            changed = False
            while (path := self._path(self._count + 1)).is_file():
                self._take(path)
                changed = True
            if changed:
                live = sorted(self._live.values(), key=lambda s: (s.first, s.path))
                self._state = self._state._replace(live=tuple(live))
            return self._state

    def check(self) -> None:
        """Raise LogError if an entry is missing before a later one."""
        self.state()
        found = [path for path in self._folder.glob("*.json") if path.stem.isdigit()]
        if beyond := [path for path in found if int(path.stem) > self._count]:
            missing = self._path(self._count + 1)
            raise LogError(f"{missing} is missing before {min(beyond)}: restore a backup")

    def append(
        self,
        kind: Literal["seal", "drop"],
        segments: Sequence[Segment],
        numbers: tuple[int, int],
        at: datetime,
        reason: str = "",
    ) -> Entry:
        """Record that *segments* came or went; return when it is on the disk."""
        with self._lock:
            self.state()
            entry = Entry(
                kind=kind,
                number=self._count + 1,
                at=at,
                previous=self._head,
                first=numbers[0],
                last=numbers[1],
                segments=tuple(segments),
                reason=reason,
            )
            write_durably(self._path(entry.number), entry.model_dump_json().encode())
            self.state()
        return entry

    def _take(self, path: Path) -> None:
        data = path.read_bytes()
        try:
            entry = Entry.model_validate_json(data)
        except ValidationError as broken:
            raise LogError(f"{path} is no entry of the chain: restore a backup") from broken
        if entry.previous != self._head or entry.number != self._count + 1:
            raise LogError(f"{path}: does not follow the entry before it: restore a backup")
        sealed, dropped = self._state.sealed, self._state.dropped
        if entry.kind == "seal":
            self._live |= {segment.path: segment for segment in entry.segments}
            sealed = max(sealed, entry.last)
        else:
            gone = {segment.path for segment in entry.segments}
            self._live = {path: one for path, one in self._live.items() if path not in gone}
            dropped |= gone
        self._count, self._head = entry.number, "sha256:" + hashlib.sha256(data).hexdigest()
        self._state = State(self._state.live, dropped, sealed)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:012d}.json"
