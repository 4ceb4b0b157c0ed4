"""What every event store can do, and the values that it gives."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from operator import and_
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from soc.errors import QueryError
from soc.logs.filter import Filter
from soc.logs.match import COLUMNS, Takes, matcher
from soc.model.event import REJECTS, Batch
from soc.model.value import EPOCH

if TYPE_CHECKING:
    from soc.logs.reader import LogReader


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of a batch.

    first, last: numbers given, or None if all were known. kept: for each row, whether it was new.
    """

    first: int | None
    last: int | None
    kept: tuple[bool, ...]
    rejected: int

    @classmethod
    def of(cls, rows: pa.Table, kept: tuple[bool, ...], first: int) -> "Appended":
        """Return what became of a batch of which *rows* were new and got numbers from *first*."""
        if not rows.num_rows:
            return cls(None, None, kept, 0)
        rejected = pc.sum(pc.equal(rows["class"], REJECTS)).as_py() or 0
        return cls(first, first + rows.num_rows - 1, kept, rejected)

    @property
    def duplicates(self) -> int:
        """Return how many rows were known already."""
        return self.kept.count(False)

    def split(self, sizes: Sequence[int], is_reject: Sequence[bool]) -> "list[Appended]":
        """Return what became of each part of a batch that was put together of *sizes* rows."""
        parts, begin, following = [], 0, self.first or 0
        for size in sizes:
            kept = self.kept[begin : begin + size]
            new = kept.count(True)
            rejected = sum(map(and_, kept, is_reject[begin : begin + size]))
            first, last = (following, following + new - 1) if new else (None, None)
            parts.append(Appended(first, last, kept, rejected))
            begin, following = begin + size, following + new
        return parts

    @property
    def accepted(self) -> int:
        """Return how many rows became events."""
        return self.kept.count(True) - self.rejected


class Bucket(NamedTuple):
    """How many events share some values: *key* as they were asked for, *begin* of a time bucket."""

    begin: datetime | None
    key: tuple[str | None, ...]
    events: int


@dataclass(frozen=True, slots=True)
class Sender:
    """What is stored of one source. last_seen: when the newest came. parsers: what read it."""

    source: str
    events: int
    last_seen: datetime
    parsers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for: events that *filter* takes, which happened from *since* until *until*.

    since is inclusive, until exclusive. limit: rows at most, newest first.
    """

    filter: Filter
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 1_000

    @property
    def takes(self) -> Takes:
        """Return what tells of a row, columns of SCHEMA as Python values, whether it is wanted."""
        fits, since, until = matcher(self.filter), self.since, self.until
        return lambda row: (
            (since is None or row["ts"] >= since)
            and (until is None or row["ts"] < until)
            and fits(row)
        )


Keep = Callable[[pa.Table], Sequence[bool]]
"""Tells of each row whether it stays."""


class LogStore(Protocol):
    """An event store. Every number is given once, in the order of intake, without a gap.

    It gives the numbers of one shard, and may show those of others, too.
    """

    def append(self, table: pa.Table) -> Appended:
        """Store *table*, columns of SCHEMA without numbers; return when it is durable.

        Raises LogError if that cannot be done: then nothing of it is stored.
        """

    def scan(self, after: int, limit: int) -> Batch:
        """Return up to *limit* events of one shard above *after*, up to the first missing one."""

    def search(self, search: Search) -> Iterator[Mapping[str, Any]]:
        """Yield events, newest first by the time that they happened, then by number."""

    def aggregate(
        self, search: Search, by: Sequence[str] = (), every: timedelta | None = None
    ) -> list[Bucket]:
        """Return how many events there are for each combination of the columns *by*.

        every: also for each bucket of event time. In the order of bucket and key; *limit* does
        not count.
        """

    def drop(self, data_class: str, day: date, reason: str) -> int:
        """Remove what *data_class* took in on *day*; return how many rows. Raises Held."""

    def rewrite(self, data_class: str, day: date, keep: Keep, reason: str) -> int:
        """Remove the rows that *keep* refuses; return how many. Raises Held."""


class OpenLog(LogStore, Protocol):
    """An event store that this process alone writes to."""

    @property
    def reader(self) -> "LogReader":
        """Return what reads it."""

    @property
    def problem(self) -> str:
        """Return why what was acknowledged is not permanent yet, or nothing."""

    @property
    def free(self) -> float:
        """Return the share of the disk that is free, 0 to 1."""

    def tick(self) -> None:
        """Begin whatever is due in the background."""

    def seal(self) -> None:
        """Make permanent whatever is only in the journal; return when it is."""

    def close(self) -> None:
        """Let another process write; this one no longer can."""


def column_of(name: str) -> str:
    """Return the column of the field *name*; raises QueryError naming those that there are."""
    column = COLUMNS.get(name)
    if column is None or column in {"raw", "ts", "ingested", "seq"}:
        known = ", ".join(sorted({*COLUMNS} - {"raw"}))
        raise QueryError(f"{name}: counts are made by one of {known}")
    return column


class Counts:
    """Events by the values of *columns*, and by buckets of event time if there is *every*."""

    def __init__(self, columns: Sequence[str], every: timedelta | None) -> None:
        self._columns, self._every = columns, every
        self._events: Counter[tuple[Any, ...]] = Counter()

    def add(self, into: int | None, key: Iterable[str | None], events: int) -> None:
        """Count *events* with the values *key*. into: the bucket's number since 1970."""
        self._events[into, *key] += events

    def count(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Count *rows*, columns of SCHEMA as Python values."""
        for row in rows:
            into = (row["ts"] - EPOCH) // self._every if self._every else None
            self.add(into, (row[name] for name in self._columns), 1)

    def buckets(self) -> list[Bucket]:
        """Return what was counted, in the order of bucket and key."""
        found = [
            Bucket(EPOCH + into * self._every if self._every else None, tuple(key), events)
            for (into, *key), events in self._events.items()
        ]
        return sorted(found, key=_order)


def _order(bucket: Bucket) -> tuple[Any, ...]:
    """Return what buckets are sorted by: time, then key, with "no value" first."""
    key = tuple((value is not None, value or "") for value in bucket.key)
    return (bucket.begin or EPOCH, key)
