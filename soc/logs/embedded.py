"""The embedded event store: one process writes, by ``flock``; every process may read.

``wal/``, ``chain/`` and ``seg/<class>/<day of intake>/`` under one folder. Sealing and compaction
go on beside intake, so that neither holds up an acknowledgement.
"""

from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from threading import Lock

import pyarrow as pa

from soc.clock import Clock
from soc.errors import LogError
from soc.logs import compact, segments
from soc.logs.chain import Segment
from soc.logs.journaled import JournaledLog
from soc.logs.known import COLUMNS
from soc.logs.port import Keep
from soc.logs.promote import Promotion, announced
from soc.logs.reader import LogReader
from soc.logs.tail import Generation
from soc.logs.yielding import BURST, Yielding
from soc.settings import Logs

NEWEST = 1_000
"""Events by which it is judged whether there is a burst."""


class EmbeddedLog(JournaledLog):
    """The event store, to write to. Raises LogError if another process holds its lock."""

    def __init__(self, root: Path, settings: Logs, clock: Clock) -> None:
        (root / "seg").mkdir(parents=True, exist_ok=True)
        self._files = segments.Files(root / "seg")
        self._reshaping = Lock()
        self._in_burst = False
        super().__init__(root, settings, clock)
        self._yielding = Yielding(lambda: self._journal.last, self._journal.rest)
        self.reader = LogReader(root)

    def compact(self) -> None:
        """Join what can be joined now, and give back the room of what was replaced."""
        promotion, today = announced(self._root), self._clock.now().date()
        while job := compact.next_job(
            self._chain.state(), today, promotion, is_calm=not self._in_burst
        ):
            with self._reshaping:
                compact.run(job, self._files, self._chain, promotion, self._clock, self._go_on)
                self._clear(job.segments)
                self._chain.summarise(())

    def drop(self, data_class: str, day: date, reason: str) -> int:
        """Remove the segments of *data_class* taken in on *day*; return how many rows they held."""
        with self._reshaping:
            gone = self._segments(data_class, day)
            if gone:
                self._chain.append("drop", self._clock.now(), (), gone, reason)
            self._clear(gone)
            return sum(segment.rows for segment in gone)

    def give_up(self, path: str, reason: str) -> int:
        """Go on without a damaged segment, which is kept aside; return how many rows it held.

        path: as the chain has it. Raises LogError for a segment that is whole, or is not there.
        """
        with self._reshaping:
            found = [s for s in self._chain.state().live if s.path == path]
            if not found:
                raise LogError(f"there is no segment {path}: see soc segments list")
            (segment,) = found
            file = self._root / "seg" / segment.path
            if file.exists() and self._files.is_whole(segment):
                raise LogError(f"{path} is whole: nothing needs to be given up")
            self._chain.append("drop", self._clock.now(), (), [segment], f"given up: {reason}")
            self._set_aside(path)
            return segment.rows

    def rewrite(self, data_class: str, day: date, keep: Keep, reason: str) -> int:
        """Remove the rows that *keep* refuses, sealed first if they are not; return how many.

        Their numbers stay given: nothing else ever gets them.
        """
        self.seal()
        removed = 0
        with self._reshaping:
            for segment in self._segments(data_class, day):
                fewer = compact.without(segment, self._files, keep, self._chain.mark)
                if fewer is None:
                    continue
                self._chain.append("rewrite", self._clock.now(), fewer, [segment], reason)
                self._clear([segment])
                removed += segment.rows - sum(one.rows for one in fewer)
        return removed

    def _permanent(self) -> int:
        self._sweep()
        return self._chain.state().sealed

    def _tidy(self) -> None:
        self.compact()

    def _make(self, generation: Generation) -> None:
        table = pa.concat_tables(generation.read())
        numbers = (table["seq"][0].as_py(), table["seq"][-1].as_py())
        self._in_burst = self._is_burst(table["ingested"])
        # Requests first: what is left out in a burst is made up for when it is over.
        promotion = Promotion() if self._in_burst else announced(self._root)
        written = segments.seal(self._root / "seg", table, promotion)
        self._chain.append("seal", self._clock.now(), written, numbers=numbers)

    def _go_on(self) -> None:
        self._yielding.pause()
        if self._journal.is_closing:
            raise LogError("the store is being closed: joined next time")

    def _is_burst(self, ingested: pa.ChunkedArray) -> bool:
        newest = ingested.slice(max(0, len(ingested) - NEWEST))
        lasted = (self._clock.now() - newest[0].as_py()).total_seconds()
        return len(ingested) >= self._settings.seal_rows and len(newest) > BURST * lasted

    def _segments(self, data_class: str, day: date) -> list[Segment]:
        live = self._chain.state().live
        return [s for s in live if (s.data_class, s.day) == (data_class, day)]

    def _clear(self, replaced: Iterable[Segment]) -> None:
        for segment in replaced:
            (self._root / "seg" / segment.path).unlink(missing_ok=True)

    def _set_aside(self, name: str) -> None:
        """Keep the file of a segment that no longer counts, if it is there."""
        if (path := self._root / "seg" / name).exists():
            (self._root / "lost").mkdir(exist_ok=True)
            path.rename(self._root / "lost" / name.replace("/", "-"))

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
                self._set_aside(name)
        self._chain.summarise(())

    def _newest(self) -> Iterator[pa.Table]:
        """Yield the newest rows of segments, as far back as the window of duplicates reaches."""
        room = self._settings.remembered_ids
        stored: list[pa.Table] = []
        for segment in reversed(self._chain.state().live):
            for part in reversed(self._files.parts(segment)) if room > 0 else ():
                if room > 0:
                    stored.append(self._files.pick(part, COLUMNS))
                    room -= stored[-1].num_rows
        yield from reversed(stored)
