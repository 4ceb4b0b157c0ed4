"""Search and count stored events: DuckDB finds candidates, the matcher decides where it must."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from threading import Timer
from typing import Any, NamedTuple

import duckdb
import pyarrow.compute as pc

from soc.errors import Damaged, LogError, QueryError
from soc.logs.chain import Segment
from soc.logs.condition import Condition, condition
from soc.logs.match import matcher
from soc.logs.port import Bucket, Search, column_of, order_of
from soc.logs.reader import TRIES, LogReader, View
from soc.model.event import REJECTS, SCHEMA
from soc.model.value import EPOCH

MOST_FILES = 64
SECONDS = 30.0
MICROSECOND = timedelta(microseconds=1)
SHOWN = tuple(name for name in SCHEMA.names if name != "reason")


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
            try:
                for row in _newest(reader, connection, wanted, last, damaged):
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
            return _counted(reader, connection, view, wanted, columns, every)

        found = reader.looking(lambda view: _certainly(reader, view, count))
    return sorted(found, key=order_of)


def _certainly(
    reader: LogReader, view: View, count: Callable[[View], list[Bucket]]
) -> list[Bucket]:
    """Return what *count* brings; raises Damaged naming the segments that spoil it."""
    try:
        return count(view)
    except duckdb.InterruptException:
        raise
    except duckdb.Error:
        if found := reader.files.damaged(view.segments):
            raise Damaged(*(reader.files.root / segment.path for segment in found)) from None
        raise


def _newest(
    reader: LogReader,
    connection: duckdb.DuckDBPyConnection,
    wanted: Search,
    last: tuple[datetime, int] | None,
    damaged: list[Segment],
) -> Iterator[dict[str, Any]]:
    view = reader.view()
    takes, asked = matcher(wanted.filter), _within(condition(wanted.filter), wanted)
    if last:
        older = Condition("(ts < ? OR (ts = ? AND seq < ?))", (last[0], *last))
        asked = Condition(
            f"{asked.text} AND {older.text}", asked.values + older.values, asked.is_exact
        )
    waiting: list[dict[str, Any]] = []
    places = list(_places(view, wanted))
    for number, place in enumerate(places):
        rows = _whole_rows(reader, connection, view, place, asked, wanted.limit, damaged)
        waiting += (row for row in rows if asked.is_exact or takes(row))
        waiting.sort(key=lambda row: (row["ts"], row["seq"]), reverse=True)
        del waiting[wanted.limit :]
        behind = places[number + 1].newest if number + 1 < len(places) else None
        while waiting and (behind is None or waiting[0]["ts"] > behind):
            yield waiting.pop(0)


def _places(view: View, wanted: Search) -> Iterator[_Place]:
    """Yield where to look, newest first, each time at more segments."""
    found = sorted(_touched(view, wanted), key=lambda s: s.max_ts, reverse=True)
    if view.tail.num_rows:
        newest = max([pc.max(view.tail["ts"]).as_py(), *(s.max_ts for s in found[:1])])
        yield _Place(newest, ())
    size, at = 1, 0
    while at < len(found):
        some = tuple(found[at : at + size])
        yield _Place(some[0].max_ts, some)
        at, size = at + size, min(size * 4, MOST_FILES)


def _touched(view: View, wanted: Search) -> Iterator[Segment]:
    for segment in view.segments:
        after = wanted.since is None or segment.max_ts >= wanted.since
        before = wanted.until is None or segment.min_ts < wanted.until
        if segment.data_class != REJECTS and after and before:
            yield segment


def _within(found: Condition, wanted: Search) -> Condition:
    parts, values = [f"class <> '{REJECTS}'", found.text], list(found.values)
    for bound, sign in ((wanted.since, ">="), (wanted.until, "<")):
        if bound is not None:
            parts.append(f"ts {sign} ?")
            values.append(bound)
    return Condition(" AND ".join(parts), tuple(values), found.is_exact)


def _whole_rows(
    reader: LogReader,
    connection: duckdb.DuckDBPyConnection,
    view: View,
    place: _Place,
    asked: Condition,
    limit: int,
    damaged: list[Segment],
) -> list[dict[str, Any]]:
    """Return the rows of *place*; what is damaged there is left out, and added to *damaged*."""
    try:
        return list(_rows(reader, connection, view, place, asked, limit))
    except duckdb.InterruptException:
        raise
    except duckdb.Error:
        found = reader.files.damaged(place.segments)
        if not found:
            raise
        damaged += [segment for segment in found if segment not in damaged]
    left = tuple(segment for segment in place.segments if segment not in found)
    if not left:
        return []
    return list(_rows(reader, connection, view, place._replace(segments=left), asked, limit))


def _rows(
    reader: LogReader,
    connection: duckdb.DuckDBPyConnection,
    view: View,
    place: _Place,
    asked: Condition,
    limit: int,
) -> Iterator[dict[str, Any]]:
    columns = ", ".join(f'"{name}"' for name in SHOWN)
    query = f"SELECT {columns} FROM {_from(reader, connection, view, place)} WHERE {asked.text}"  # noqa: S608 - our own columns and files, values are bound
    if asked.is_exact:
        query += f" ORDER BY ts DESC, seq DESC LIMIT {limit:d}"
    found = connection.execute(query, asked.values)
    while rows := found.fetchmany(1_000):
        for row in rows:
            yield _utc(dict(zip(SHOWN, row, strict=True)))


def _from(
    reader: LogReader, connection: duckdb.DuckDBPyConnection, view: View, place: _Place
) -> str:
    if not place.segments:
        connection.register("tail", view.tail)
        return "tail"
    folder = reader.root / "seg"
    names = ("'" + str(folder / s.path).replace("'", "''") + "'" for s in place.segments)
    return f"read_parquet([{', '.join(names)}])"


def _counted(
    reader: LogReader,
    connection: duckdb.DuckDBPyConnection,
    view: View,
    wanted: Search,
    columns: Sequence[str],
    every: timedelta | None,
) -> list[Bucket]:
    asked, takes = _within(condition(wanted.filter), wanted), matcher(wanted.filter)
    tail = _Place(EPOCH, ())
    stored = _Place(EPOCH, tuple(_touched(view, wanted)))
    counts: Counter[tuple[Any, ...]] = Counter()
    width = every // MICROSECOND if every else 1
    begin = f"epoch_us(ts) // {width:d}" if every else "NULL"
    for place in [tail, *([stored] if stored.segments else [])]:
        source = _from(reader, connection, view, place)
        if asked.is_exact:
            keys = ", ".join([f"{begin} AS b", *(f'"{name}"' for name in columns)])
            query = f"SELECT {keys}, count(*) FROM {source} WHERE {asked.text} GROUP BY ALL"  # noqa: S608 - as above
            for *key, count in connection.execute(query, asked.values).fetchall():
                counts[tuple(key)] += count
            continue
        for row in _rows(reader, connection, view, place, asked, 0):
            if takes(row):
                into = (row["ts"] - EPOCH) // MICROSECOND // width if every else None
                counts[into, *(row[name] for name in columns)] += 1
    return [
        Bucket(EPOCH + into * every if every else None, tuple(key), count)
        for (into, *key), count in counts.items()
    ]


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """Return the empty database that every question of this process has a connection to."""
    database = duckdb.connect(config={"threads": 2, "memory_limit": "1GB"})
    database.execute("SET GLOBAL TimeZone = 'UTC'")
    return database


@contextmanager
def _asking(seconds: float) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a connection that is interrupted after *seconds*; raises QueryError then."""
    with _database().cursor() as connection:
        timer = Timer(seconds, connection.interrupt)
        timer.daemon = True
        timer.start()
        try:
            yield connection
        except duckdb.InterruptException as late:
            raise QueryError(f"took longer than {seconds:g} s: narrow it down") from late
        finally:
            timer.cancel()


def _utc(row: dict[str, Any]) -> dict[str, Any]:
    return row | {name: row[name].astimezone(UTC) for name in ("ts", "ingested")}
