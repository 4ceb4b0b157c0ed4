"""Read the event store from any process, also while another one writes."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import RLock
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from soc.errors import LogError
from soc.logs import segments
from soc.logs.chain import Chain, Segment
from soc.logs.wal import WalReader
from soc.model.event import REJECTS, SCHEMA, Batch, empty

TRIES = 20

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class View:
    """What was stored at one moment: live segments, the rows after them, and the last number."""

    segments: tuple[Segment, ...]
    tail: pa.Table
    sealed: int
    upto: int


class LogReader:
    """The event store, to look at."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = RLock()
        self._wal = WalReader(root / "wal")
        self._chain = Chain(root / "chain")
        self._segment = lru_cache(maxsize=8)(lambda segment: segments.read(root / "seg", segment))

    def view(self) -> View:
        """Return what is stored now; any thread may look."""
        with self._lock:
            for _ in range(TRIES):
                try:
                    # Files before chain: what is sealed meanwhile is seen twice, not never.
                    frames = self._wal.read()
                except FileNotFoundError:
                    continue
                state = self._chain.state()
                upto, tables = state.sealed, []
                for frame in frames:
                    if frame.first == upto + 1:
                        upto = frame.first + frame.table.num_rows - 1
                        tables.append(frame.table)
                tail = pa.concat_tables(tables) if tables else empty()
                return View(state.live, tail, state.sealed, upto)
        raise LogError(f"{self.root}: write-ahead files change faster than they can be read")

    def scan(self, after: int, limit: int) -> Batch:
        """Return up to *limit* events above number *after*, up to the first missing one."""
        return self._looking(lambda view: self._scan(view, after, limit))

    def rejects(self, after: int = 0, limit: int = 1000) -> pa.Table:
        """Return what no parser took, from number *after* on, with its reason."""
        return self._looking(lambda view: self._rejects(view, after, limit))

    def count_rejects(self) -> int:
        """Return how much no parser took, without reading it."""
        view = self.view()
        in_tail = pc.sum(pc.equal(view.tail.column("class"), REJECTS)).as_py() or 0
        return int(in_tail) + sum(s.rows for s in view.segments if s.data_class == REJECTS)

    def events(self, seqs: list[int]) -> pa.Table:
        """Return the events with these numbers, as far as they are still stored."""
        return self._looking(lambda view: self._events(view, seqs)) if seqs else empty()

    def _looking(self, look: Callable[[View], Found]) -> Found:
        """Return what *look* finds; look again if a segment was dropped meanwhile."""
        for _ in range(TRIES):
            try:
                return look(self.view())
            except FileNotFoundError:
                continue
        raise LogError(f"{self.root}: segments change faster than they can be read")

    def _rejects(self, view: View, after: int, limit: int) -> pa.Table:
        tables, rows = [], 0
        for segment in view.segments:
            if segment.data_class == REJECTS and segment.last > after and rows < limit:
                part = self._segment(segment)
                tables.append(part.filter(pc.greater(part["seq"], after)))
                rows += tables[-1].num_rows
        found = pa.concat_tables([*tables, view.tail])
        wanted = pc.and_(pc.equal(found["class"], REJECTS), pc.greater(found["seq"], after))
        return found.filter(wanted).sort_by("seq").slice(0, limit)

    def _events(self, view: View, seqs: list[int]) -> pa.Table:
        ordered, wanted = sorted(seqs), pa.array(seqs, pa.int64())
        tables = [
            self._segment(segment)
            for segment in view.segments
            if bisect_left(ordered, segment.first) < bisect_right(ordered, segment.last)
        ]
        rows = pa.concat_tables([*tables, view.tail])
        return rows.filter(pc.is_in(rows.column("seq"), wanted)).sort_by("seq")

    def _scan(self, view: View, after: int, limit: int) -> Batch:
        tables, rows, last, cut = [empty()], 0, after, False
        for segment in view.segments:
            if segment.last <= after or segment.data_class == REJECTS:
                continue
            if rows >= limit and segment.first > last:
                cut = True
                break
            part = self._segment(segment)
            part = part.filter(pc.greater(part.column("seq"), after))
            tables.append(part)
            rows += part.num_rows
            last = max(last, segment.last)
        if not cut:
            tail = view.tail
            keep = pc.and_(pc.greater(tail["seq"], after), pc.not_equal(tail["class"], REJECTS))
            tables.append(tail.filter(keep))
        found = pa.concat_tables(tables).select(SCHEMA.names).sort_by("seq")
        if cut or found.num_rows > limit:
            found = found.slice(0, limit)
            return Batch(found, found.column("seq")[-1].as_py())
        return Batch(found, max(view.upto, after))
