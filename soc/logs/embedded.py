"""The embedded event store: one process writes, by ``flock``; every process may read.

``wal/``, ``chain/`` and ``seg/<class>/<day of intake>/`` under one folder. Numbers are given under
the lock, without gaps, in the order of intake; duplicates get none.
"""

import fcntl
import os
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from soc.clock import Clock
from soc.errors import LogError
from soc.logs import segments, wal
from soc.logs.chain import Chain
from soc.logs.reader import LogReader
from soc.model.event import REJECTS, SCHEMA
from soc.settings import Logs


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of a batch.

    first, last: numbers given, or None if all were known. kept: for each row, whether it was new.
    """

    first: int | None
    last: int | None
    kept: tuple[bool, ...]
    rejected: int

    @property
    def duplicates(self) -> int:
        """Return how many rows were known already."""
        return self.kept.count(False)

    @property
    def accepted(self) -> int:
        """Return how many rows became events."""
        return self.kept.count(True) - self.rejected


class _Identity(NamedTuple):
    source: str
    event_id: str


class EmbeddedLog:
    """The event store, to write to. Raises LogError if another process holds its lock."""

    def __init__(self, root: Path, settings: Logs, clock: Clock) -> None:
        self._root, self._settings, self._clock = root, settings, clock
        for folder in ("wal", "chain", "seg"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        self._lock_file = _lock(root / "LOCK")
        self._mutex = Lock()
        self._chain = Chain(root / "chain")
        self.reader = LogReader(root)
        self._tail: list[pa.Table] = []
        self._tail_since: datetime | None = None
        self._known: OrderedDict[_Identity, None] = OrderedDict()
        self._wal: wal.WalFile | None = None
        self._next = 1
        self._recover()

    def append(self, table: pa.Table) -> Appended:
        """Store *table*, columns of SCHEMA without numbers; return when it is on the disk."""
        with self._mutex:
            ids = list(map(_identity, table["source"].to_pylist(), table["event_id"].to_pylist()))
            kept = self._new(ids)
            fresh = table if all(kept) else table.filter(pa.array(kept, pa.bool_()))
            if not fresh.num_rows:
                return Appended(None, None, kept, 0)
            first = self._next
            last = first + fresh.num_rows - 1
            numbers = pa.array(range(first, last + 1), pa.int64())
            numbered = fresh.set_column(0, SCHEMA.field("seq"), numbers).combine_chunks()
            self._write(first, numbered)
            self._remember(id_ for id_, new in zip(ids, kept, strict=True) if new)
            self._next = last + 1
            rejected = pc.sum(pc.equal(fresh.column("class"), REJECTS)).as_py() or 0
            if sum(part.num_rows for part in self._tail) >= self._settings.seal_rows:
                self._seal()
            return Appended(first, last, kept, rejected)

    def tick(self) -> None:
        """Seal the tail if it has waited long enough."""
        with self._mutex:
            since = self._tail_since
            if since and self._clock.now() - since >= self._settings.seal_after:
                self._seal()

    def seal(self) -> None:
        """Turn whatever is in the tail into segments now."""
        with self._mutex:
            self._seal()

    def drop(self, data_class: str, day: date, reason: str) -> int:
        """Remove the segments of *data_class* taken in on *day*; return how many rows they held."""
        with self._mutex:
            gone = [s for s in self._chain.live() if (s.data_class, s.day) == (data_class, day)]
            if gone:
                numbers = (min(s.first for s in gone), max(s.last for s in gone))
                self._chain.append("drop", gone, numbers, self._clock.now(), reason)
            for segment in gone:
                (self._root / "seg" / segment.path).unlink(missing_ok=True)
            return sum(segment.rows for segment in gone)

    def close(self) -> None:
        """Let another process write."""
        if self._wal:
            self._wal.close()
        os.close(self._lock_file)

    def _write(self, first: int, numbered: pa.Table) -> None:
        if self._wal is None:
            self._wal = wal.WalFile(self._root / "wal" / wal.name_of(first))
        try:
            self._wal.append(wal.encode(first, numbered))
        except OSError as full:
            raise LogError(f"{self._wal.path}: {full.strerror}: nothing was stored") from full
        self._tail.append(numbered)
        self._tail_since = self._tail_since or self._clock.now()

    def _seal(self) -> None:
        if not self._tail:
            return
        table = pa.concat_tables(self._tail)
        first, last = table.column("seq")[0].as_py(), table.column("seq")[-1].as_py()
        written = segments.write(self._root / "seg", table)
        self._chain.append("seal", written, (first, last), self._clock.now())
        if self._wal:
            self._wal.close()
        for path in (self._root / "wal").glob(f"*{wal.SUFFIX}"):
            path.unlink()
        self._wal, self._tail, self._tail_since = None, [], None

    def _recover(self) -> None:
        """Continue where the last writer stopped, however it stopped."""
        sealed = self._chain.sealed()
        self._next = sealed + 1
        self._sweep()
        for path in sorted((self._root / "wal").glob(f"*{wal.SUFFIX}")):
            whole = list(wal.frames(path.read_bytes()))
            if self._wal:
                self._wal.close()
            self._wal = wal.WalFile(path, whole[-1].end if whole else 0)
            for frame in whole:
                if frame.first == self._next:
                    self._tail.append(frame.table)
                    self._next += frame.table.num_rows
        if self._tail:
            self._tail_since = self._clock.now()
        self._remember_stored()

    def _sweep(self) -> None:
        """Remove files that no entry of the chain names: their seal or drop was cut short."""
        named = {segment.path for segment in self._chain.live()}
        seg = self._root / "seg"
        for path in [*seg.rglob("*.parquet"), *seg.rglob("*.tmp"), *self._root.glob("*/*.tmp")]:
            if (
                path.relative_to(seg if path.is_relative_to(seg) else self._root).as_posix()
                not in named
            ):
                path.unlink(missing_ok=True)

    def _remember_stored(self) -> None:
        """Know the newest ids again, as far back as the window of duplicates reaches."""
        parts: list[pa.Table] = []
        room = self._settings.remembered_ids - sum(part.num_rows for part in self._tail)
        columns = ["source", "event_id"]
        for segment in reversed(self._chain.live()):
            if room <= 0:
                break
            parts.insert(0, segments.read(self._root / "seg", segment, columns))
            room -= segment.rows
        for part in [*parts, *self._tail]:
            pairs = zip(part["source"].to_pylist(), part["event_id"].to_pylist(), strict=True)
            self._remember(_identity(source, event_id) for source, event_id in pairs)

    def _new(self, ids: list[_Identity | None]) -> tuple[bool, ...]:
        seen: set[_Identity] = set()
        kept = []
        for identity in ids:
            kept.append(identity is None or (identity not in self._known and identity not in seen))
            if identity:
                seen.add(identity)
        return tuple(kept)

    def _remember(self, ids: Iterable[_Identity | None]) -> None:
        for identity in ids:
            if identity:
                self._known[identity] = None
        while len(self._known) > self._settings.remembered_ids:
            self._known.popitem(last=False)


def _identity(source: str, event_id: str | None) -> _Identity | None:
    return _Identity(source, event_id) if event_id else None


def _lock(path: Path) -> int:
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as held:
        owner = os.pread(handle, 32, 0).decode(errors="replace").strip() or "unknown"
        os.close(handle)
        raise LogError(f"{path}: process {owner} is writing to this store") from held
    os.ftruncate(handle, 0)
    os.pwrite(handle, str(os.getpid()).encode(), 0)
    return handle
