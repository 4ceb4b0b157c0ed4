"""The journal: events are durable in it first, numbered, and each of them once.

Numbers are given under a lock, without gaps, in the order of intake; duplicates get none. What is
in it is made permanent in the background, a generation at a time, so that this never holds up an
acknowledgement.
"""

import fcntl
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from threading import Event, Lock

import pyarrow as pa

from soc.clock import Clock
from soc.errors import LogError
from soc.logs import wal
from soc.logs.commit import Commit
from soc.logs.known import Known, identities
from soc.logs.port import Appended
from soc.logs.room import Room
from soc.logs.tail import Generation, Tail
from soc.model.event import numbered
from soc.settings import Logs

BROKEN = (OSError, pa.ArrowException, LogError)
"""What work in the background fails with; it is told in ``problem`` and tried again."""


class Journal:
    """What is stored under *root* and not permanent yet. Raises LogError if it is locked.

    make: makes a generation permanent. tidy: what else there is to do; it may take long, and goes
    on beside.
    """

    def __init__(
        self,
        root: Path,
        settings: Logs,
        clock: Clock,
        make: Callable[[Generation], None],
        tidy: Callable[[], None],
    ) -> None:
        self._root, self._settings, self._clock = root, settings, clock
        self._make, self._tidy = make, tidy
        (root / "wal").mkdir(parents=True, exist_ok=True)
        self._lock_file = _lock(root / "LOCK")
        self._tail = Tail(root / "wal")
        self._known = Known(settings.remembered_ids)
        self._encoder = wal.Encoder()
        self._numbers, self._making = Lock(), Lock()
        self._commit = Commit(self._write)
        self._sealer = ThreadPoolExecutor(1, "soc-seal", initializer=_give_way)
        self._tidier = ThreadPoolExecutor(1, "soc-tidy", initializer=_give_way)
        self._sealing: Future[None] | None = None
        self._tidying: Future[None] | None = None
        self._closed = Event()
        self._next = 1
        self.room = Room(root, settings)
        self._unsealed = self._untidy = ""

    @property
    def problem(self) -> str:
        """Return why what waits could not be made permanent, or else be tidied; or nothing."""
        return self._unsealed or self._untidy

    @property
    def is_closing(self) -> bool:
        """Return whether whatever takes long should end."""
        return self._closed.is_set()

    @property
    def last(self) -> int:
        """Return the last number that was given."""
        return self._next - 1

    def rest(self, seconds: float) -> None:
        """Wait so long, but no longer than until whatever takes long should end."""
        self._closed.wait(seconds)

    def oldest(self) -> datetime | None:
        """Return when the first of the events came that are not permanent yet."""
        with self._numbers:
            waiting = self._tail.generations
            return waiting[0].read()[0]["ingested"][0].as_py() if waiting else None

    def start(self, following: int, stored: Iterable[pa.Table]) -> None:
        """Continue at number *following*; *stored* are the newest rows that are permanent."""
        for table in stored:
            self._known.add(filter(None, identities(table)))
        self._next = following
        for table in self._tail.recover(following, self._clock.now()):
            self._known.add(filter(None, identities(table)))
            self._next += table.num_rows

    def append(self, table: pa.Table) -> Appended:
        """Store *table*, columns of SCHEMA without numbers; return when it is on the disk."""
        return self._commit.submit(table)

    def tick(self) -> None:
        """Begin whatever is due in the background."""
        with self._numbers:
            opened = self._tail.open
            due = opened and self._clock.now() - opened.since >= self._settings.seal_after
            # While nothing can be made permanent, one file waits: not one for each look.
            if due or (self._unsealed and len(self._tail.generations) == 1):
                self._tail.rotate()
            self._seal_soon()  # what came while the last one was made waits for nobody
        if _is_over(self._sealing):
            self._sealing = self._begin(self._sealer, self._seal_safely)
        if _is_over(self._tidying):
            self._tidying = self._begin(self._tidier, self._tidy_safely)

    def seal(self) -> None:
        """Make permanent whatever is there now; return when it is."""
        with self._numbers:
            self._tail.rotate()
        self._seal()

    def settle(self) -> None:
        """Return when what was begun in the background is done."""
        for begun in (self._sealing, self._tidying):
            if begun:
                begun.result()

    def close(self) -> None:
        """Let another process write; this one no longer can."""
        with self._numbers:
            if self.is_closing:
                return
            self._closed.set()
        self._sealer.shutdown(wait=True)
        self._tidier.shutdown(wait=True)
        self._tail.close()
        os.close(self._lock_file)

    def _write(self, tables: Sequence[pa.Table]) -> list[Appended]:
        """Store what several callers gave, with one write."""
        with self._numbers:
            if self.is_closing or self._tail.is_broken:
                raise LogError(f"{self._root}: this store is closed")
            self.room.require()
            first, new = self._next, set[str]()
            fresh, done = [], []
            for table in tables:
                kept = self._known.sift(identities(table), new)
                rows = table if all(kept) else table.filter(pa.array(kept, pa.bool_()))
                fresh.append(rows)
                done.append(Appended.of(rows, kept, first))
                first += rows.num_rows
            if first > self._next:
                rows = numbered(pa.concat_tables(fresh), self._next).combine_chunks()
                self._tail.write(self._encoder.frame(self._next, rows), rows, self._clock.now())
                self._known.add(new)
                self._next = first
            self._seal_soon()
            return done

    def _seal_soon(self) -> None:
        opened = self._tail.open
        if opened and opened.rows >= self._settings.seal_rows and _is_over(self._sealing):
            self._tail.rotate()
            self._sealing = self._begin(self._sealer, self._seal_safely)

    def _begin(self, on: ThreadPoolExecutor, work: Callable[[], None]) -> Future[None] | None:
        return None if self.is_closing else on.submit(work)

    def _seal_safely(self) -> None:
        try:
            self._seal()
            self._unsealed = ""
        except BROKEN as failed:
            self._unsealed = f"cannot seal: {failed}"

    def _tidy_safely(self) -> None:
        try:
            self._tidy()
            self._untidy = ""
        except BROKEN as failed:
            self._untidy = "" if self.is_closing else f"cannot compact: {failed}"

    def _seal(self) -> None:
        """Make permanent every generation that is no longer written to, oldest first."""
        with self._making:
            while generation := self._sealable():
                self._make(generation)
                with self._numbers:
                    self._tail.forget(generation)

    def _sealable(self) -> Generation | None:
        with self._numbers:
            waiting = [one for one in self._tail.generations if one is not self._tail.open]
            return waiting[0] if waiting else None


def _is_over(begun: Future[None] | None) -> bool:
    return begun is None or begun.done()


def _give_way() -> None:
    """Let what people wait for go first: on Linux a thread has a niceness of its own."""
    os.setpriority(os.PRIO_PROCESS, 0, 5)


def _lock(path: Path) -> int:
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as failed:
        raise LogError(f"{path}: {failed.strerror}") from failed
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as held:
        owner = os.pread(handle, 32, 0).decode(errors="replace").strip() or "unknown"
        os.close(handle)
        raise LogError(f"{path}: process {owner} is writing to this store") from held
    os.ftruncate(handle, 0)
    os.pwrite(handle, str(os.getpid()).encode(), 0)
    return handle
