"""Read the event store from any process, also while another one writes."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import RLock
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from soc.errors import LogError
from soc.logs.chain import Chain, Segment
from soc.logs.port import Bucket, Search, Sender, column_of
from soc.logs.segments import Files, Part
from soc.logs.wal import WalReader
from soc.model.event import REJECTS, Batch, empty

TRIES = 20
TEXTS = ["seq", "ts", "source", "raw"]
"""Columns that say of an event when it happened, who sent it, and what it says."""

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class View:
    """What was stored at one moment: live segments, the rows after them, and the last number."""

    segments: tuple[Segment, ...]
    tail: pa.Table
    sealed: int
    upto: int

    def waiting(self, after: int = 0) -> pa.Table:
        """Return the events in the tail above number *after*; no rejects."""
        tail = self.tail
        keep = pc.and_(pc.greater(tail["seq"], after), pc.not_equal(tail["class"], REJECTS))
        return tail.filter(keep)


class LogReader:
    """The event store, to look at. knows_sql: whether all of it can be asked with SQL."""

    knows_sql = True

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = RLock()
        self._wal = WalReader(root / "wal")
        self._chain = Chain(root / "chain")
        self.files = Files(root / "seg")

    def view(self) -> View:
        """Return what is stored now; any thread may look."""
        with self._lock:
            for _ in range(TRIES):
                try:
                    # Files before chain: what is sealed meanwhile is seen twice, not never.
                    frames = self._wal.read()
                except FileNotFoundError:
                    continue
                live, sealed = self.sealed()
                upto, tables = sealed, []
                for frame in frames:
                    if frame.first == upto + 1:
                        upto = frame.first + frame.table.num_rows - 1
                        tables.append(frame.table)
                tail = pa.concat_tables(tables) if tables else empty()
                return View(live, tail, sealed, upto)
        raise LogError(f"{self.root}: write-ahead files change faster than they can be read")

    def sealed(self) -> tuple[tuple[Segment, ...], int]:
        """Return the live segments, and the last number that is permanent."""
        state = self._chain.state()
        return state.live, state.sealed

    def upto(self) -> dict[int, int]:
        """Return the last number that can be read, by shard."""
        return {0: self.view().upto}

    def sees(self, seqs: Sequence[int]) -> bool:  # noqa: ARG002 - the home has all there ever was
        """Return whether events of these numbers can be here by now."""
        return True

    def scan(self, after: int, limit: int) -> Batch:
        """Return up to *limit* events of one shard above *after*, up to the first missing one."""
        return self.looking(lambda view: self._scan(view, after, limit))

    def search(self, wanted: Search) -> Iterator[Mapping[str, Any]]:
        """Yield events, newest first by when they happened, then by number; close it to cancel."""
        from soc.logs import search  # defers DuckDB

        return search.search(self, wanted)

    def aggregate(
        self, wanted: Search, by: Sequence[str] = (), every: timedelta | None = None
    ) -> list[Bucket]:
        """Return how many events there are for each combination of the columns *by*."""
        from soc.logs import search  # defers DuckDB

        return search.aggregate(self, wanted, by, every)

    def rejects(self, after: int = 0, limit: int = 1000) -> pa.Table:
        """Return what no parser took, from number *after* on, with its reason."""
        return self.looking(lambda view: self._rejects(view, after, limit))

    def senders(self) -> list[Sender]:
        """Return what is stored of each source, in the order of their names; no rejects."""
        from soc.logs import questions  # defers DuckDB

        return questions.senders(self)

    def newest(self, column: str, upto: datetime) -> dict[str, datetime]:
        """Return when the newest event of each value of *column* happened, of those in by *upto*.

        No event counts as later than its intake. Raises QueryError for a column that is none.
        """
        from soc.logs import questions  # defers DuckDB

        return questions.newest(self, column_of(column), upto)

    def last_intake(self, source: str) -> datetime | None:
        """Return when the newest event of *source* came, or None."""
        from soc.logs import questions  # defers DuckDB

        return questions.last_intake(self, source)

    def last_before(self, moment: datetime) -> dict[int, int]:
        """Return the last number of the events in by *moment*, by shard."""
        from soc.logs import questions  # defers DuckDB

        return {0: questions.last_before(self, moment)}

    def count_rejects(self) -> int:
        """Return how much no parser took, without reading it."""
        view = self.view()
        in_tail = pc.sum(pc.equal(view.tail.column("class"), REJECTS)).as_py() or 0
        return int(in_tail) + sum(s.rows for s in view.segments if s.data_class == REJECTS)

    def events(self, seqs: list[int]) -> pa.Table:
        """Return the events with these numbers, as far as they are still stored."""
        return self.looking(lambda view: self._events(view, seqs, ())) if seqs else empty()

    def texts(self, seqs: list[int]) -> pa.Table:
        """Return of these events what TEXTS names."""
        return self.looking(lambda view: self._events(view, seqs, TEXTS)).select(TEXTS)

    def looking(self, look: Callable[[View], Found]) -> Found:
        """Return what *look* finds; look again if a segment was dropped meanwhile."""
        for _ in range(TRIES):
            try:
                return look(self.view())
            except FileNotFoundError:
                continue
        raise LogError(f"{self.root}: segments change faster than they can be read")

    def parts(self, view: View, after: int, data_class: str = "") -> Iterator[Part]:
        """Yield the row groups with numbers above *after*, in the order of their first ones."""
        found = [
            part
            for segment in view.segments
            if segment.last > after
            and (segment.data_class == data_class if data_class else segment.data_class != REJECTS)
            for part in self.files.parts(segment)
            if part.last > after
        ]
        yield from sorted(found, key=lambda part: (part.first, part.segment.path))

    def _rejects(self, view: View, after: int, limit: int) -> pa.Table:
        tables, rows = [view.tail], 0
        for part in self.parts(view, after, REJECTS):
            if rows < limit:
                table = self.files.read(part)
                tables.append(table.filter(pc.greater(table["seq"], after)))
                rows += tables[-1].num_rows
        found = pa.concat_tables(tables)
        wanted = pc.and_(pc.equal(found["class"], REJECTS), pc.greater(found["seq"], after))
        return found.filter(wanted).sort_by("seq").slice(0, limit)

    def _events(self, view: View, seqs: list[int], names: Sequence[str]) -> pa.Table:
        """Return the events with these numbers; only the columns *names*, if there are any."""
        ordered, wanted = sorted(seqs), pa.array(seqs, pa.int64())
        tables = [view.tail.select(names) if names else view.tail]
        for segment in view.segments:
            if bisect_left(ordered, segment.first) == bisect_right(ordered, segment.last):
                continue
            for part in self.files.parts(segment):
                if bisect_left(ordered, part.first) < bisect_right(ordered, part.last):
                    table = self.files.pick(part, list(names)) if names else self.files.read(part)
                    tables.append(table.filter(pc.is_in(table["seq"], wanted)))
        rows = pa.concat_tables(tables)
        return rows.filter(pc.is_in(rows["seq"], wanted)).sort_by("seq")

    def _scan(self, view: View, after: int, limit: int) -> Batch:
        tables, rows, last, cut, ordered = [empty()], 0, after, False, True
        for part in self.parts(view, after):
            if rows >= limit and part.first > last:
                cut = True
                break
            table = self.files.read(part)
            if part.first <= after:
                table = table.slice(np.searchsorted(table["seq"].to_numpy(), after, side="right"))
            tables.append(table)
            rows += table.num_rows
            ordered = ordered and part.first > last
            last = max(last, part.last)
        if not cut:
            tables.append(view.waiting(after))
        found = pa.concat_tables(tables)
        if not ordered:
            found = found.sort_by("seq")
        if cut or found.num_rows > limit:
            found = found.slice(0, limit)
            return Batch(found, found["seq"][-1].as_py())
        return Batch(found, max(view.upto, after))
