"""What every event store with a local journal does alike: take in, look, hold."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from soc.clock import Clock
from soc.logs.chain import Chain
from soc.logs.journal import Journal
from soc.logs.port import Appended, Bucket, Search
from soc.logs.reader import LogReader
from soc.logs.tail import Generation
from soc.model.event import Batch
from soc.settings import Logs


class JournaledLog(ABC):
    """An event store to write to. Raises LogError if another process holds its lock."""

    reader: LogReader

    def __init__(self, root: Path, settings: Logs, clock: Clock) -> None:
        self._root, self._settings, self._clock = root, settings, clock
        (root / "chain").mkdir(parents=True, exist_ok=True)
        self._journal = Journal(root, settings, clock, self._make, self._tidy)
        with ExitStack() as undo:
            undo.callback(self._journal.close)
            self._chain = Chain(root / "chain")
            self._chain.check()
            self._journal.start(self._permanent() + 1, self._newest())
            undo.pop_all()

    @property
    def problem(self) -> str:
        """Return why what was acknowledged is not permanent yet, or nothing."""
        return self._journal.problem

    @property
    def free(self) -> float:
        """Return the share of the disk that is free, 0 to 1."""
        return self._journal.room.free()

    def append(self, table: pa.Table) -> Appended:
        """Store *table*, columns of SCHEMA without numbers; return when it is on the disk."""
        return self._journal.append(table)

    def tick(self) -> None:
        """Begin whatever is due in the background."""
        self._journal.tick()

    def seal(self) -> None:
        """Make permanent whatever is only in the journal; return when it is."""
        self._journal.seal()

    def settle(self) -> None:
        """Return when what was begun in the background is done."""
        self._journal.settle()

    def close(self) -> None:
        """Let another process write; this one no longer can."""
        self._journal.close()

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

    def search(self, search: Search) -> Iterator[Mapping[str, Any]]:
        """Yield events, newest first."""
        return self.reader.search(search)

    def aggregate(
        self, search: Search, by: Sequence[str] = (), every: timedelta | None = None
    ) -> list[Bucket]:
        """Return how many events there are for each combination of the columns *by*."""
        return self.reader.aggregate(search, by, every)

    @abstractmethod
    def _permanent(self) -> int:
        """Return the last number that is permanent; called once, before anything is taken in."""

    @abstractmethod
    def _newest(self) -> Iterable[pa.Table]:
        """Yield the newest permanent rows, as far back as the window of duplicates reaches."""

    @abstractmethod
    def _make(self, generation: Generation) -> None:
        """Make *generation* permanent."""

    @abstractmethod
    def _tidy(self) -> None:
        """Do what else there is to do; it may take long, and goes on beside."""
