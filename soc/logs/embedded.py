"""The embedded event store: one process writes, by ``flock``; every process may read.

``wal/``, ``chain/`` and ``seg/<class>/<day of intake>/`` under one folder. Numbers are given under
a lock, without gaps, in the order of intake; duplicates get none. Sealing and compaction go on
beside, so that neither holds up an acknowledgement.
"""

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from threading import Lock
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from soc.clock import Clock
from soc.errors import LogError
from soc.logs import compact, search, segments, wal
from soc.logs.chain import Chain, Segment
from soc.logs.commit import Commit
from soc.logs.known import COLUMNS, Known, identities
from soc.logs.port import Appended, Bucket, Keep, Search
from soc.logs.promote import announced
from soc.logs.reader import LogReader
from soc.logs.room import Room
from soc.logs.tail import Generation, Tail
from soc.model.event import REJECTS, SCHEMA, Batch
from soc.settings import Logs

BROKEN = (OSError, pa.ArrowException, LogError)
"""What work in the background fails with; it is told in ``problem`` and tried again."""


class EmbeddedLog:
    """The event store, to write to. Raises LogError if another process holds its lock."""

    def __init__(self, root: Path, settings: Logs, clock: Clock) -> None:
        self._root, self._settings, self._clock = root, settings, clock
        for folder in ("wal", "chain", "seg"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        self._lock_file = _lock(root / "LOCK")
        self._room = Room(root, settings)
        self._chain = Chain(root / "chain")
        self._files = segments.Files(root / "seg")
        self._tail = Tail(root / "wal")
        self._known = Known(settings.remembered_ids)
        self._numbers, self._changes = Lock(), Lock()
        self._commit = Commit(self._write)
        self._background = ThreadPoolExecutor(1, "soc-seal", initializer=_give_way)
        self._sealing: Future[None] | None = None
        self._closed = False
        self.reader = LogReader(root)
        self.problem = ""
        """Why the tail could not be sealed or compacted, or empty."""
        self._next = 1
        try:
            self._recover()
        except BaseException:
            os.close(self._lock_file)
            raise

    def append(self, table: pa.Table) -> Appended:
        """Store *table*, columns of SCHEMA without numbers; return when it is on the disk."""
        return self._commit.submit(table)

    def tick(self) -> None:
        """Begin whatever is due: seal a tail that has waited long enough, compact segments."""
        with self._numbers:
            opened = self._tail.open
            due = opened and self._clock.now() - opened.since >= self._settings.seal_after
            if due or self.problem:
                self._tail.rotate()
        if self._idle():
            self._begin(self._tend)

    def seal(self) -> None:
        """Turn whatever is in the tail into segments now."""
        with self._numbers:
            self._tail.rotate()
        self._seal()

    def compact(self) -> None:
        """Join what can be joined now, and give back the room of what was replaced."""
        promotion, today = announced(self._root), self._clock.now().date()
        while job := compact.next_job(self._chain.state(), today, promotion):
            with self._changes:
                compact.run(job, self._files, self._chain, promotion, self._clock)
                self._clear(job.segments)

    def settle(self) -> None:
        """Return when what was begun in the background is done."""
        if self._sealing:
            self._sealing.result()

    def drop(self, data_class: str, day: date, reason: str) -> int:
        """Remove the segments of *data_class* taken in on *day*; return how many rows they held."""
        with self._changes:
            gone = self._segments(data_class, day)
            if gone:
                self._chain.append("drop", self._clock.now(), (), gone, reason)
            self._clear(gone)
            return sum(segment.rows for segment in gone)

    def rewrite(self, data_class: str, day: date, keep: Keep, reason: str) -> int:
        """Remove the rows that *keep* refuses, sealed first if they are not; return how many.

        Their numbers stay given: nothing else ever gets them.
        """
        self.seal()
        removed = 0
        with self._changes:
            for segment in self._segments(data_class, day):
                fewer = compact.without(segment, self._files, keep, self._chain.mark)
                if fewer is None:
                    continue
                self._chain.append("rewrite", self._clock.now(), fewer, [segment], reason)
                self._clear([segment])
                removed += segment.rows - sum(one.rows for one in fewer)
        return removed

    def hold(self, data_class: str, reason: str, day: date | None = None) -> None:
        """Refuse to drop or rewrite *data_class*, or its *day*, until that is released."""
        held = f"{data_class}/{day}" if day else data_class
        self._chain.append("hold", self._clock.now(), (), reason=reason, held=held)

    def release(self, data_class: str, reason: str, day: date | None = None) -> None:
        """End a hold."""
        held = f"{data_class}/{day}" if day else data_class
        self._chain.append("release", self._clock.now(), (), reason=reason, held=held)

    def scan(self, after: int, limit: int) -> Batch:
        """Return up to *limit* events above number *after*."""
        return self.reader.scan(after, limit)

    def search(self, wanted: Search) -> Iterator[Mapping[str, Any]]:
        """Yield events, newest first."""
        return search.search(self.reader, wanted)

    def aggregate(
        self, wanted: Search, by: Sequence[str] = (), every: timedelta | None = None
    ) -> list[Bucket]:
        """Return how many events there are for each combination of the columns *by*."""
        return search.aggregate(self.reader, wanted, by, every)

    def close(self) -> None:
        """Let another process write; this one no longer can."""
        with self._numbers:
            if self._closed:
                return
            self._closed = True
        self._background.shutdown(wait=True)
        self._tail.close()
        os.close(self._lock_file)

    def _write(self, tables: Sequence[pa.Table]) -> list[Appended]:
        """Store what several callers gave, with one write."""
        with self._numbers:
            if self._closed or self._tail.is_broken:
                raise LogError(f"{self._root}: this store is closed")
            self._room.require()
            first, new = self._next, set[str]()
            fresh, done = [], []
            for table in tables:
                ids = identities(table)
                kept = self._new(ids, new)
                rows = table if all(kept) else table.filter(pa.array(kept, pa.bool_()))
                fresh.append(rows)
                done.append(_appended(rows, kept, first))
                first += rows.num_rows
            if first > self._next:
                numbered = _numbered(pa.concat_tables(fresh), self._next)
                frame = wal.encode(self._next, numbered)
                self._tail.write(frame, numbered, self._clock.now())
                self._known.add(new)
                self._next = first
            self._seal_soon()
            return done

    def _new(self, ids: Sequence[str | None], new: set[str]) -> tuple[bool, ...]:
        """Return which of *ids* are new, and add them to *new*."""
        kept = []
        for identity in ids:
            if identity is None:
                kept.append(True)
                continue
            is_new = identity not in new and identity not in self._known
            kept.append(is_new)
            if is_new:
                new.add(identity)
        return tuple(kept)

    def _seal_soon(self) -> None:
        opened = self._tail.open
        if opened and opened.rows >= self._settings.seal_rows and self._idle():
            self._tail.rotate()
            self._begin(self._seal_safely)

    def _idle(self) -> bool:
        return self._sealing is None or self._sealing.done()

    def _begin(self, work: Callable[[], None]) -> None:
        if not self._closed:
            self._sealing = self._background.submit(work)

    def _tend(self) -> None:
        self._seal_safely()
        try:
            if not self.problem:
                self.compact()
        except BROKEN as failed:
            self.problem = f"cannot compact: {failed}"

    def _seal_safely(self) -> None:
        try:
            self._seal()
            self.problem = ""
        except BROKEN as failed:
            self.problem = f"cannot seal: {failed}"

    def _seal(self) -> None:
        """Turn every generation that is no longer written to into segments."""
        with self._changes:
            while generation := self._sealable():
                table = pa.concat_tables(generation.tables)
                numbers = (table["seq"][0].as_py(), table["seq"][-1].as_py())
                written = segments.seal(self._root / "seg", table, announced(self._root))
                self._chain.append("seal", self._clock.now(), written, numbers=numbers)
                with self._numbers:
                    self._tail.forget(generation)

    def _sealable(self) -> Generation | None:
        with self._numbers:
            waiting = [one for one in self._tail.generations if one is not self._tail.open]
            return waiting[0] if waiting else None

    def _segments(self, data_class: str, day: date) -> list[Segment]:
        live = self._chain.state().live
        return [s for s in live if (s.data_class, s.day) == (data_class, day)]

    def _clear(self, replaced: Iterable[Segment]) -> None:
        for segment in replaced:
            (self._root / "seg" / segment.path).unlink(missing_ok=True)

    def _recover(self) -> None:
        """Continue where the last writer stopped, however it stopped."""
        self._chain.check()
        self._next = self._chain.state().sealed + 1
        self._sweep()
        for table in self._tail.recover(self._next, self._clock.now()):
            self._next += table.num_rows
        self._remember_stored()

    def _sweep(self) -> None:
        """Clear away what an interrupted change left; what nobody can explain is kept."""
        state, seg = self._chain.state(), self._root / "seg"
        live = {segment.path for segment in state.live}
        for path in [*seg.rglob("*.tmp"), *self._root.glob("*/*.tmp")]:
            path.unlink(missing_ok=True)
        for path in list(seg.rglob("*.parquet")):
            name = path.relative_to(seg).as_posix()
            if name in state.gone:
                path.unlink(missing_ok=True)
            elif name not in live:
                (self._root / "lost").mkdir(exist_ok=True)
                path.rename(self._root / "lost" / name.replace("/", "-"))
        self._chain.summarise(())

    def _remember_stored(self) -> None:
        """Know the newest ids again, as far back as the window of duplicates reaches."""
        tables = [table for one in self._tail.generations for table in one.tables]
        room = self._settings.remembered_ids - sum(table.num_rows for table in tables)
        stored: list[pa.Table] = []
        for segment in reversed(self._chain.state().live):
            if room <= 0:
                break
            for part in reversed(self._files.parts(segment)):
                if room > 0:
                    stored.insert(0, self._files.pick(part, COLUMNS))
                    room -= stored[0].num_rows
        for table in [*stored, *tables]:
            self._known.add(identities(table))


def _appended(rows: pa.Table, kept: tuple[bool, ...], first: int) -> Appended:
    if not rows.num_rows:
        return Appended(None, None, kept, 0)
    rejected = pc.sum(pc.equal(rows.column("class"), REJECTS)).as_py() or 0
    return Appended(first, first + rows.num_rows - 1, kept, rejected)


def _numbered(rows: pa.Table, first: int) -> pa.Table:
    numbers = pa.array(range(first, first + rows.num_rows), pa.int64())
    return rows.set_column(0, SCHEMA.field("seq"), numbers).combine_chunks()


def _give_way() -> None:
    """Let what people wait for go first: on Linux a thread has a niceness of its own."""
    os.setpriority(os.PRIO_PROCESS, 0, 5)


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
