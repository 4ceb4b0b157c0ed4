"""Read the event store from any process, also while another one writes."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from soc.errors import LogError
from soc.logs import segments
from soc.logs.chain import Chain, Segment
from soc.logs.wal import WalReader
from soc.model.event import REJECTS, SCHEMA, Batch, empty

TRIES = 20


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
        self._wal = WalReader(root / "wal")
        self._chain = Chain(root / "chain")
        self._segment = lru_cache(maxsize=8)(lambda segment: segments.read(root / "seg", segment))

    def view(self) -> View:
        """Return what is stored now."""
        for _ in range(TRIES):
            try:
                # Files before chain: what is sealed meanwhile is seen twice, not never.
                frames = self._wal.read()
            except FileNotFoundError:
                continue
            sealed = self._chain.sealed()
            upto, tables = sealed, []
            for frame in frames:
                if frame.first == upto + 1:
                    upto = frame.first + frame.table.num_rows - 1
                    tables.append(frame.table)
            tail = pa.concat_tables(tables) if tables else empty()
            return View(tuple(self._chain.live()), tail, sealed, upto)
        raise LogError(f"{self.root}: write-ahead files change faster than they can be read")

    def scan(self, after: int, limit: int) -> Batch:
        """Return up to *limit* events above number *after*, up to the first missing one."""
        for _ in range(TRIES):
            view = self.view()
            try:
                return self._scan(view, after, limit)
            except FileNotFoundError:
                continue
        raise LogError(f"{self.root}: segments change faster than they can be read")

    def rejects(self, after: int = 0, limit: int = 1000) -> pa.Table:
        """Return what no parser took, from number *after* on, with its reason."""
        view = self.view()
        tables = [self._segment(s) for s in view.segments if s.data_class == REJECTS]
        rows = pa.concat_tables([*tables, view.tail])
        wanted = pc.and_(pc.equal(rows.column("class"), REJECTS), pc.greater(rows["seq"], after))
        return rows.filter(wanted).sort_by("seq").slice(0, limit)

    def events(self, seqs: list[int]) -> pa.Table:
        """Return the events with these numbers, as far as they are still stored."""
        if not seqs:
            return empty()
        view, wanted = self.view(), pa.array(seqs, pa.int64())
        tables = [
            self._segment(segment)
            for segment in view.segments
            if any(segment.first <= seq <= segment.last for seq in seqs)
        ]
        rows = pa.concat_tables([*tables, view.tail])
        return rows.filter(pc.is_in(rows.column("seq"), wanted)).sort_by("seq")

    def _scan(self, view: View, after: int, limit: int) -> Batch:
        tables, rows, cut = [empty()], 0, False
        for segment in view.segments:
            if segment.last <= after or segment.data_class == REJECTS:
                continue
            if rows >= limit and segment.first > upto_of(tables):
                cut = True
                break
            part = self._segment(segment)
            part = part.filter(pc.greater(part.column("seq"), after))
            tables.append(part)
            rows += part.num_rows
        if not cut:
            tail = view.tail
            keep = pc.and_(pc.greater(tail["seq"], after), pc.not_equal(tail["class"], REJECTS))
            tables.append(tail.filter(keep))
        found = pa.concat_tables(tables).select(SCHEMA.names).sort_by("seq")
        if cut or found.num_rows > limit:
            found = found.slice(0, limit)
            return Batch(found, found.column("seq")[-1].as_py())
        return Batch(found, max(view.upto, after))


def upto_of(tables: list[pa.Table]) -> int:
    """Return the highest number in *tables*."""
    return max(pc.max(table.column("seq")).as_py() or 0 for table in tables)
