"""Search and count stored events: DuckDB finds candidates, the matcher decides where it must."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

import duckdb
import pyarrow.compute as pc

from soc.errors import Damaged, LogError
from soc.logs.chain import Segment
from soc.logs.condition import Condition, condition
from soc.logs.port import Bucket, Counts, Search, column_of
from soc.logs.query import certain, in_time, listed
from soc.logs.reader import TRIES, LogReader, View
from soc.model.event import REJECTS, SHOWN
from soc.model.value import MICROSECOND

MOST_FILES = 64
SECONDS = 30.0


class _Place(NamedTuple):
    """Where one look reads: segments or the tail; no event in it is newer than *newest*."""

    newest: datetime
    segments: tuple[Segment, ...]


def search(reader: LogReader, wanted: Search, seconds: float = SECONDS) -> Iterator[dict[str, Any]]:
    """Yield events, newest first by when they happened, then by number; close it to cancel.

    Raises QueryError if it takes longer than *seconds*; Damaged, when all else was given, if a
    segment could not be searched.
    """
    given, last = 0, None
    damaged: list[Segment] = []
    with _asking(seconds) as connection:
        for _ in range(TRIES):
            look = _Look(reader, connection, reader.view(), wanted)
            try:
                for row in look.newest(last, damaged):
                    yield row
                    given, last = given + 1, (row["ts"], row["seq"])
                    if given >= wanted.limit:
                        return
            except FileNotFoundError:
                continue  # a segment was replaced meanwhile: go on behind what was given
            if damaged:
                raise Damaged(*(reader.files.root / segment.path for segment in damaged))
            return
    raise LogError(f"{reader.root}: segments change faster than they can be read")


def aggregate(
    reader: LogReader,
    wanted: Search,
    by: Sequence[str] = (),
    every: timedelta | None = None,
    seconds: float = SECONDS,
) -> list[Bucket]:
    """Return how many events there are for each combination of the columns *by*.

    Raises QueryError for an unknown column, or if it takes longer than *seconds*.
    """
    columns = [column_of(name) for name in by]
    with _asking(seconds) as connection:

        def count(view: View) -> list[Bucket]:
            look = _Look(reader, connection, view, wanted)
            return certain(reader, view, lambda: look.counted(columns, every))

        return reader.looking(count)


class _Look:
    """One look at what was stored at one moment."""

    def __init__(
        self,
        reader: LogReader,
        connection: duckdb.DuckDBPyConnection,
        view: View,
        wanted: Search,
    ) -> None:
        self._files, self._connection = reader.files, connection
        self._view, self._wanted = view, wanted
        self._asked, self._takes = _within(condition(wanted.filter), wanted), wanted.takes

    def newest(
        self, last: tuple[datetime, int] | None, damaged: list[Segment]
    ) -> Iterator[dict[str, Any]]:
        """Yield events older than *last*, newest first; add to *damaged* what cannot be read."""
        if last:
            older = Condition("(ts < ? OR (ts = ? AND seq < ?))", (last[0], *last))
            text, values = f"{self._asked.text} AND {older.text}", self._asked.values + older.values
            self._asked = Condition(text, values, self._asked.is_exact)
        waiting: list[dict[str, Any]] = []
        places = list(self._places())
        for number, place in enumerate(places):
            waiting += self._whole_rows(place.segments, damaged)
            waiting.sort(key=lambda row: (row["ts"], row["seq"]), reverse=True)
            del waiting[self._wanted.limit :]
            behind = places[number + 1].newest if number + 1 < len(places) else None
            while waiting and (behind is None or waiting[0]["ts"] > behind):
                yield waiting.pop(0)

    def counted(self, columns: Sequence[str], every: timedelta | None) -> list[Bucket]:
        """Return how many events there are for each combination of *columns*."""
        counts = Counts(columns, every)
        begin = f"epoch_us(ts) // {every // MICROSECOND:d}" if every else "NULL"
        keys = ", ".join([f"{begin} AS b", *(f'"{name}"' for name in columns)])
        touched = tuple(self._touched())
        for segments in ((), touched) if touched else ((),):
            if not self._asked.is_exact:
                counts.count(self._rows(segments))
                continue
            relation = f"{self._from(segments)} WHERE {self._asked.text}"
            query = f"SELECT {keys}, count(*) FROM {relation} GROUP BY ALL"  # noqa: S608 - our own columns and files, values are bound
            found = self._connection.execute(query, self._asked.values).fetchall()
            for into, *key, events in found:
                counts.add(into, key, events)
        return counts.buckets()

    def _places(self) -> Iterator[_Place]:
        """Yield where to look, newest first, each time at more segments."""
        found = sorted(self._touched(), key=lambda s: s.max_ts, reverse=True)
        if self._view.tail.num_rows:
            newest = max([pc.max(self._view.tail["ts"]).as_py(), *(s.max_ts for s in found[:1])])
            yield _Place(newest, ())
        size, at = 1, 0
        while at < len(found):
            some = tuple(found[at : at + size])
            yield _Place(some[0].max_ts, some)
            at, size = at + size, min(size * 4, MOST_FILES)

    def _touched(self) -> Iterator[Segment]:
        for segment in self._view.segments:
            after = self._wanted.since is None or segment.max_ts >= self._wanted.since
            before = self._wanted.until is None or segment.min_ts < self._wanted.until
            if segment.data_class != REJECTS and after and before:
                yield segment

    def _whole_rows(
        self, segments: tuple[Segment, ...], damaged: list[Segment]
    ) -> list[dict[str, Any]]:
        """Return the rows of *segments*; what is damaged is left out, and added to *damaged*."""
        try:
            return list(self._rows(segments))
        except duckdb.InterruptException:
            raise
        except duckdb.Error:
            found = self._files.damaged(segments)
            if not found:
                raise
            damaged += [segment for segment in found if segment not in damaged]
        left = tuple(segment for segment in segments if segment not in found)
        return list(self._rows(left)) if left else []

    def _rows(self, segments: tuple[Segment, ...]) -> Iterator[dict[str, Any]]:
        """Yield the wanted rows of *segments*, or of the tail if there are none."""
        columns = ", ".join(f'"{name}"' for name in SHOWN)
        query = f"SELECT {columns} FROM {self._from(segments)} WHERE {self._asked.text}"  # noqa: S608 - as above
        if self._asked.is_exact:
            query += f" ORDER BY ts DESC, seq DESC LIMIT {self._wanted.limit:d}"
        found = self._connection.execute(query, self._asked.values)
        while rows := found.fetchmany(1_000):
            for values in rows:
                row = _utc(dict(zip(SHOWN, values, strict=True)))
                if self._asked.is_exact or self._takes(row):
                    yield row

    def _from(self, segments: tuple[Segment, ...]) -> str:
        if segments:
            return listed(self._files.root, segments)
        self._connection.register("tail", self._view.waiting())
        return "tail"


def _within(found: Condition, wanted: Search) -> Condition:
    parts, values = [found.text], list(found.values)
    for bound, sign in ((wanted.since, ">="), (wanted.until, "<")):
        if bound is not None:
            parts.append(f"ts {sign} ?")
            values.append(bound)
    return Condition(" AND ".join(parts), tuple(values), found.is_exact)


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """Return the empty database that every question of this process has a connection to."""
    database = duckdb.connect(config={"threads": 2, "memory_limit": "1GB"})
    database.execute("SET GLOBAL TimeZone = 'UTC'")
    return database


@contextmanager
def _asking(seconds: float) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a connection that is interrupted after *seconds*; raises QueryError then."""
    with _database().cursor() as connection, in_time(connection, seconds, "narrow it down"):
        yield connection


def _utc(row: dict[str, Any]) -> dict[str, Any]:
    return row | {name: row[name].astimezone(UTC) for name in ("ts", "ingested")}
