"""The embedded event store: one process writes, by ``flock``; every process may read.

``wal/``, ``chain/`` and ``seg/<class>/<day of intake>/`` under one folder. Numbers are given under
the lock, without gaps, in the order of intake; duplicates get none.
"""

import fcntl
import os
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
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
    is_reject: bool


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
        self._failures = 0
        self._closed = False
        self.problem = ""
        """Why the tail could not be sealed, or empty."""
        self._known: OrderedDict[_Identity, None] = OrderedDict()
        self._wal: wal.WalFile | None = None
        self._next = 1
        self._recover()

    def append(self, table: pa.Table) -> Appended:
        """Store *table*, columns of SCHEMA without numbers; return when it is on the disk."""
        with self._mutex:
            ids = _identities(table)
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
                self._try_seal()
            return Appended(first, last, kept, rejected)

    def tick(self) -> None:
        """Seal the tail if it has waited long enough."""
        with self._mutex:
            since = self._tail_since
            due = since and self._clock.now() - since >= self._settings.seal_after
            if due or self.problem:
                self._try_seal()

    def seal(self) -> None:
        """Turn whatever is in the tail into segments now."""
        with self._mutex:
            self._seal()

    def drop(self, data_class: str, day: date, reason: str) -> int:
        """Remove the segments of *data_class* taken in on *day*; return how many rows they held."""
        with self._mutex:
            live = self._chain.state().live
            gone = [s for s in live if (s.data_class, s.day) == (data_class, day)]
            if gone:
                numbers = (min(s.first for s in gone), max(s.last for s in gone))
                self._chain.append("drop", gone, numbers, self._clock.now(), reason)
            for segment in gone:
                (self._root / "seg" / segment.path).unlink(missing_ok=True)
            return sum(segment.rows for segment in gone)

    def close(self) -> None:
        """Let another process write; this one no longer can."""
        with self._mutex:
            if self._closed:
                return
            self._closed = True
            if self._wal:
                self._wal.close()
            os.close(self._lock_file)

    def _write(self, first: int, numbered: pa.Table) -> None:
        if self._closed:
            raise LogError(f"{self._root}: this store is closed")
        frame = wal.encode(first, numbered)
        try:
            if self._wal is None:
                self._wal = wal.WalFile(self._root / "wal" / wal.name_of(first, self._failures))
            self._wal.append(frame)
        except OSError as failed:
            self._give_up_file()
            raise LogError(f"{self._root}: {failed.strerror}: nothing was stored") from failed
        self._tail.append(numbered)
        self._tail_since = self._tail_since or self._clock.now()

    def _give_up_file(self) -> None:
        """Never write again to a file that failed: readers may have seen what was taken back."""
        self._failures += 1
        if self._wal and not self._wal.is_clean:
            self._closed = True  # what stands in it is unknown: only a restart can tell
        if self._wal:
            self._wal.close()
        self._wal = None

    def _try_seal(self) -> None:
        """Seal; what fails is kept in the tail, told in ``problem``, and tried again by tick."""
        try:
            self._seal()
            self.problem = ""
        except (OSError, pa.ArrowException) as failed:
            self.problem = f"cannot seal: {failed}"

    def _seal(self) -> None:
        if not self._tail:
            return
        table = pa.concat_tables(self._tail)
        first, last = table.column("seq")[0].as_py(), table.column("seq")[-1].as_py()
        written = segments.write(self._root / "seg", table)
        self._chain.append("seal", written, (first, last), self._clock.now())
        done, self._wal, self._tail, self._tail_since = self._wal, None, [], None
        if done:
            done.close()
        for path in (self._root / "wal").glob(f"*{wal.SUFFIX}"):
            with suppress(OSError):  # what is sealed is skipped, and removed by the next seal
                path.unlink()

    def _recover(self) -> None:
        """Continue where the last writer stopped, however it stopped."""
        self._chain.check()
        self._next = self._chain.state().sealed + 1
        self._sweep()
        for path in sorted((self._root / "wal").glob(f"*{wal.SUFFIX}")):
            data = path.read_bytes()
            if (at := wal.damage(data)) is not None:
                reason = "is damaged before acknowledged events: restore it, or move it away"
                raise LogError(f"{path}: byte {at} {reason}")
            whole = list(wal.frames(data))
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
        """Clear away what an interrupted seal or drop left; what nobody can explain is kept."""
        state, seg = self._chain.state(), self._root / "seg"
        live = {segment.path for segment in state.live}
        for path in [*seg.rglob("*.tmp"), *self._root.glob("*/*.tmp")]:
            path.unlink(missing_ok=True)
        for path in list(seg.rglob("*.parquet")):
            name = path.relative_to(seg).as_posix()
            if name in state.dropped:
                path.unlink(missing_ok=True)
            elif name not in live:
                (self._root / "lost").mkdir(exist_ok=True)
                path.rename(self._root / "lost" / name.replace("/", "-"))

    def _remember_stored(self) -> None:
        """Know the newest ids again, as far back as the window of duplicates reaches."""
        parts: list[pa.Table] = []
        room = self._settings.remembered_ids - sum(part.num_rows for part in self._tail)
        columns = ["source", "event_id", "class"]
        for segment in reversed(self._chain.state().live):
            if room <= 0:
                break
            parts.insert(0, segments.read(self._root / "seg", segment, columns))
            room -= segment.rows
        for part in [*parts, *self._tail]:
            self._remember(_identities(part))

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


def _identities(table: pa.Table) -> list[_Identity | None]:
    """Return what makes each row the same as another; None for rows that never are.

    A reject is the same only as another reject: the document, mended, may come under its id.
    """
    columns = (table.column(name).to_pylist() for name in ("source", "event_id", "class"))
    return [
        _Identity(source, event_id, data_class == REJECTS) if event_id else None
        for source, event_id, data_class in zip(*columns, strict=True)
    ]


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
