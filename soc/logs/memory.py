"""An event store that forgets when its process ends: for tests and simulations."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from soc.logs.known import Known, identities
from soc.logs.port import Appended, Bucket, Counts, Keep, Search, column_of
from soc.model.event import REJECTS, SHOWN, Batch, empty, numbered


class MemoryLog:
    """The plainest event store: one table."""

    def __init__(self, remembered_ids: int = 500_000) -> None:
        self._table = empty()
        self._known = Known(remembered_ids)
        self._next = 1

    def append(self, table: pa.Table) -> Appended:
        """Store *table*, columns of SCHEMA without numbers."""
        new = set[str]()
        kept = self._known.sift(identities(table), new)
        rows = table.filter(pa.array(kept, pa.bool_()))
        self._known.add(new)
        done = Appended.of(rows, kept, self._next)
        self._table = pa.concat_tables([self._table, numbered(rows, self._next)])
        self._next += rows.num_rows
        return done

    def scan(self, after: int, limit: int) -> Batch:
        """Return up to *limit* events above number *after*."""
        found = self._events().filter(pc.greater(self._events()["seq"], after))
        if found.num_rows > limit:
            found = found.slice(0, limit)
            return Batch(found, found["seq"][-1].as_py())
        return Batch(found, max(after, self._next - 1))

    def search(self, wanted: Search) -> Iterator[Mapping[str, Any]]:
        """Yield events, newest first by when they happened, then by number."""
        rows = sorted(self._found(wanted), key=lambda row: (row["ts"], row["seq"]), reverse=True)
        yield from rows[: wanted.limit]

    def aggregate(
        self, wanted: Search, by: Sequence[str] = (), every: timedelta | None = None
    ) -> list[Bucket]:
        """Return how many events there are for each combination of the columns *by*."""
        counts = Counts([column_of(name) for name in by], every)
        counts.count(self._found(wanted))
        return counts.buckets()

    def drop(self, data_class: str, day: date, reason: str) -> int:  # noqa: ARG002 - nobody asks later
        """Remove what *data_class* took in on *day*."""
        return self._remove(self._of(data_class, day))

    def rewrite(self, data_class: str, day: date, keep: Keep, reason: str) -> int:  # noqa: ARG002 - as above
        """Remove the rows that *keep* refuses."""
        kept = pa.array(keep(self._table), pa.bool_())
        return self._remove(pc.and_(self._of(data_class, day), pc.invert(kept)))

    def _of(self, data_class: str, day: date) -> pa.ChunkedArray:
        days = pc.cast(self._table["ingested"], pa.date32())
        same_day = pc.equal(days, pa.scalar(day, pa.date32()))
        return pc.and_(pc.equal(self._table["class"], data_class), same_day)

    def _remove(self, mask: pa.ChunkedArray) -> int:
        before = self._table.num_rows
        self._table = self._table.filter(pc.invert(mask))
        return int(before - self._table.num_rows)

    def _events(self) -> pa.Table:
        return self._table.filter(pc.not_equal(self._table["class"], REJECTS))

    def _found(self, wanted: Search) -> Iterator[dict[str, Any]]:
        takes = wanted.takes
        for row in self._events().select(SHOWN).to_pylist():
            row |= {name: row[name].astimezone(UTC) for name in ("ts", "ingested")}
            if takes(row):
                yield row
