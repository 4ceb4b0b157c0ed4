"""The chain: which segments count, each entry holding the hash of the one before.

An entry is written last, when its files are durable, so what is not in the chain does not exist.
``state.json`` repeats what the entries up to a number say, so that a look need not read them all; a
chain that is made to be *whole* does.
"""

import hashlib
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from threading import RLock
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, ValidationError

from soc.errors import Held, LogError
from soc.logs.files import write_durably
from soc.model.value import Utc, Value

START = "sha256:" + "0" * 64
Kind = Literal["seal", "compact", "rewrite", "drop", "hold", "release"]
SUMMARY = "state.json"


class Segment(Value):
    """One Parquet file: rows of one class and one day of intake, in the order of their numbers.

    path: relative to ``seg/``. promoted: digest of the fields that were looked for when it was
    written.
    """

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
    promoted: str = ""


class Entry(Value):
    """One change of what is stored.

    seal: numbers first to last became segments. compact: segments took the place of others, with
    the same rows. rewrite: the same, with fewer. drop: segments were removed. hold, release: from
    here on a class, or one day of it, may not be dropped or rewritten, or may again.
    """

    kind: Kind
    number: Annotated[int, Field(ge=1)]
    at: Utc
    previous: str
    first: int
    last: int
    segments: tuple[Segment, ...]
    supersedes: tuple[str, ...] = ()
    reason: str = ""
    held: str = ""


class State(NamedTuple):
    """What the chain says.

    live: segments by number. gone: paths that were removed or replaced. sealed: the last number in
    a segment. holds: what is held and why, by ``class`` or ``class/day``.
    """

    live: tuple[Segment, ...]
    gone: frozenset[str]
    sealed: int
    holds: tuple[tuple[str, str], ...] = ()


class Summary(Value):
    """What the entries up to *number* say; head is the hash of that one."""

    number: int
    head: str
    sealed: int
    live: tuple[Segment, ...]
    gone: tuple[str, ...]
    holds: tuple[tuple[str, str], ...]


class Chain:
    """The entries under one folder; any process reads them, the lock's holder appends.

    Each entry is read once, so a look costs only what is new. Any thread may look.
    """

    def __init__(self, folder: Path, *, whole: bool = False) -> None:
        self._folder = folder
        self._lock = RLock()
        self._count, self._head = 0, START
        self._live: dict[str, Segment] = {}
        self._state = State((), frozenset(), 0)
        if not whole:
            self._begin()

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

    @property
    def count(self) -> int:
        """Return how many entries there are."""
        self.state()
        return self._count

    @property
    def mark(self) -> str:
        """Return what sets names of the next entry's files apart from all earlier ones."""
        return f"-{self.count + 1}"

    def check(self) -> None:
        """Raise LogError if an entry is missing before a later one."""
        self.state()
        found = [path for path in self._folder.glob("*.json") if path.stem.isdigit()]
        if beyond := [path for path in found if int(path.stem) > self._count]:
            missing = self._path(self._count + 1)
            raise LogError(f"{missing} is missing before {min(beyond)}: restore a backup")

    def append(
        self,
        kind: Kind,
        at: datetime,
        segments: Sequence[Segment],
        supersedes: Sequence[Segment] = (),
        reason: str = "",
        held: str = "",
        numbers: tuple[int, int] | None = None,
    ) -> Entry:
        """Record a change; return when it is on the disk.

        Raises LogError if a segment of *supersedes* is no longer live, Held if it is held.
        """
        with self._lock:
            self.state()
            self._refuse_stale(supersedes)
            if kind in {"drop", "rewrite"}:
                for segment in supersedes:
                    self.require_free(segment.data_class, segment.day)
            every = (*segments, *supersedes)
            first, last = numbers or _range(every)
            entry = Entry(
                kind=kind,
                number=self._count + 1,
                at=at,
                previous=self._head,
                first=first,
                last=last,
                segments=tuple(supersedes if kind == "drop" else segments),
                supersedes=() if kind == "drop" else tuple(s.path for s in supersedes),
                reason=reason,
                held=held,
            )
            write_durably(self._path(entry.number), entry.model_dump_json().encode())
            self.state()
        return entry

    def require_free(self, data_class: str, day: date) -> None:
        """Do nothing if *day* of *data_class* may be dropped and rewritten; raises Held."""
        holds = dict(self.state().holds)
        for name in (data_class, f"{data_class}/{day}"):
            if name in holds:
                raise Held(name, holds[name])

    def summarise(self, gone: Sequence[str]) -> None:
        """Write down what the chain says, so that the next start need not read it from the front.

        gone: of what was removed or replaced, what may still be on the disk.
        """
        with self._lock:
            state = self.state()
            self._state = state._replace(gone=frozenset(gone))
            summary = Summary(
                number=self._count,
                head=self._head,
                sealed=state.sealed,
                live=state.live,
                gone=tuple(sorted(gone)),
                holds=state.holds,
            )
            write_durably(self._folder / SUMMARY, summary.model_dump_json().encode())

    def _begin(self) -> None:
        """Start from the summary, if there is one: it is a shortcut, and never needed."""
        try:
            summary = Summary.model_validate_json((self._folder / SUMMARY).read_bytes())
            data = self._path(summary.number).read_bytes() if summary.number else b""
        except (FileNotFoundError, ValidationError):
            return
        if summary.number and _hash(data) != summary.head:
            return  # the entries decide
        self._count, self._head = summary.number, summary.head
        self._live = {segment.path: segment for segment in summary.live}
        gone = frozenset(summary.gone)
        self._state = State(summary.live, gone, summary.sealed, summary.holds)

    def _take(self, path: Path) -> None:
        entry, head = _read(path, self._count + 1, self._head)
        before = self._state
        left = {s.path for s in entry.segments} if entry.kind == "drop" else {*entry.supersedes}
        if left:
            self._live = {path: one for path, one in self._live.items() if path not in left}
        if entry.kind != "drop":
            self._live |= {segment.path: segment for segment in entry.segments}
        holds = dict(before.holds)
        if entry.kind == "hold":
            holds[entry.held] = entry.reason
        elif entry.kind == "release":
            holds.pop(entry.held, None)
        sealed = max(before.sealed, entry.last) if entry.kind == "seal" else before.sealed
        self._count, self._head = entry.number, head
        self._state = State(before.live, before.gone | left, sealed, tuple(sorted(holds.items())))

    def _refuse_stale(self, segments: Sequence[Segment]) -> None:
        for segment in segments:
            if self._live.get(segment.path) != segment:
                raise LogError(f"{segment.path} was replaced meanwhile: look again")

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:012d}.json"


def _range(segments: Sequence[Segment]) -> tuple[int, int]:
    if not segments:
        return 0, 0
    return min(s.first for s in segments), max(s.last for s in segments)


def _read(path: Path, number: int, previous: str) -> tuple[Entry, str]:
    """Return the entry at *path* and its hash; raises LogError unless it follows *previous*."""
    data = path.read_bytes()
    try:
        entry = Entry.model_validate_json(data)
    except ValidationError as broken:
        raise LogError(f"{path} is no entry of the chain: restore a backup") from broken
    if entry.previous != previous or entry.number != number:
        raise LogError(f"{path}: does not follow the entry before it: restore a backup")
    return entry, _hash(data)


def _hash(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()
