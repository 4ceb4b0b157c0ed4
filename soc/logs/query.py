"""Let analysts ask with SQL: one SELECT, on events alone, without any way out."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import Any
from weakref import finalize

import duckdb

from soc.errors import QueryError
from soc.logs.chain import Segment
from soc.logs.reader import Found, LogReader, View
from soc.model.event import REJECTS, SHOWN
from soc.settings import Logs

LIMIT = 10_000
ASKED_WRONG = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.InterruptException,
    duckdb.ParserException,
    duckdb.PermissionException,
    duckdb.SyntaxException,
)
"""What has its reason in the question, never in a file."""
DEFAULT = Logs()
_Seen = tuple[tuple[Segment, ...], int]
"""What of the events a database was opened on: segments, and the last number."""


def sql(
    reader: LogReader, query: str, limit: int = LIMIT, allowed: Logs = DEFAULT
) -> list[dict[str, Any]]:
    """Return the rows that *query*, one SELECT on the view ``events``, gives: at most *limit*.

    Raises QueryError for anything else, and for what takes more time or memory than *allowed*.
    """
    return Asking(reader, allowed).rows(query, limit)


class Asking:
    """Several questions, one after the other: to open a database for each takes longer than most.

    Each question sees what is stored when it is asked. The database is closed when this is let go,
    and at the latest before the interpreter ends: its threads give back memory through that.
    """

    def __init__(self, reader: LogReader, allowed: Logs = DEFAULT) -> None:
        self._reader, self._allowed = reader, allowed
        self._opened: tuple[_Seen, duckdb.DuckDBPyConnection] | None = None
        self._close: Callable[[], object] = lambda: None

    def rows(self, query: str, limit: int = LIMIT) -> list[dict[str, Any]]:
        """Return what ``sql`` does."""
        if not self._reader.knows_sql:
            raise QueryError("events are kept on OpenSearch, which SQL cannot ask: use soc search")
        return self._reader.looking(lambda view: self._ask(view, query, limit))

    def _ask(self, view: View, query: str, limit: int) -> list[dict[str, Any]]:
        seconds = self._allowed.sql_seconds

        def ask() -> list[dict[str, Any]]:
            connection = self._connection(view)
            with in_time(connection, seconds, "ask for less"):
                statements = connection.extract_statements(query)
                if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                    raise QueryError("write exactly one SELECT on the view events")
                found = connection.execute(statements[0])
                names = [column[0] for column in found.description or []]
                return [dict(zip(names, row, strict=True)) for row in found.fetchmany(limit)]

        try:
            return certain(self._reader, view, ask)
        except duckdb.CatalogException as wrong:
            # What else it suggests are tables of its own.
            said, _, _ = str(wrong).partition("\n")
            raise QueryError(f"{said} Ask the view events, the only one there is") from wrong
        except duckdb.Error as wrong:
            raise QueryError(str(wrong)) from wrong

    def _connection(self, view: View) -> duckdb.DuckDBPyConnection:
        seen = view.segments, view.upto
        if self._opened is None or self._opened[0] != seen:
            self._close()
            connection = _connect(self._reader, view, self._allowed)
            self._opened, self._close = (seen, connection), finalize(self, connection.close)
        return self._opened[1]


def certain(reader: LogReader, view: View, ask: Callable[[], Found]) -> Found:
    """Return what *ask* brings; raises Damaged naming the segments of *view* that spoil it.

    Raises FileNotFoundError if one went meanwhile: look again.
    """
    try:
        return ask()
    except ASKED_WRONG:
        raise
    except duckdb.Error:
        reader.files.require_whole(view.segments)
        raise


@contextmanager
def in_time(connection: duckdb.DuckDBPyConnection, seconds: float, hint: str) -> Iterator[None]:
    """Interrupt whatever *connection* does after *seconds*; raises QueryError then."""
    timer = Timer(seconds, connection.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    except duckdb.InterruptException as late:
        raise QueryError(f"took longer than {seconds:g} s: {hint}") from late
    finally:
        timer.cancel()


def listed(folder: Path, segments: Iterable[Segment]) -> str:
    """Return a relation of SQL with all rows of *segments*, whose files lie under *folder*."""
    names = ("'" + str(folder / s.path).replace("'", "''") + "'" for s in segments)
    return f"read_parquet([{', '.join(names)}])"


def _connect(reader: LogReader, view: View, allowed: Logs) -> duckdb.DuckDBPyConnection:
    """Return an in-memory database whose only readable files are the segments of *view*."""
    folder = reader.files.root
    connection = duckdb.connect(
        config={
            "memory_limit": f"{allowed.sql_memory_mb}MB",
            "max_temp_directory_size": "0B",
            "threads": 2,
        }
    )
    connection.register("tail", view.waiting())
    columns = ", ".join(f'"{name}"' for name in SHOWN)
    parts = [f"SELECT {columns} FROM tail"]  # noqa: S608 - constants alone
    if stored := [segment for segment in view.segments if segment.data_class != REJECTS]:
        parts.append(f"SELECT {columns} FROM {listed(folder, stored)}")  # noqa: S608 - our own paths, quoted
    connection.execute(f"CREATE VIEW events AS {' UNION ALL '.join(parts)}")
    connection.execute("SET allowed_paths=?", [[str(folder / one.path) for one in stored]])
    for setting in ("enable_external_access=false", "lock_configuration=true"):
        connection.execute(f"SET {setting}")
    return connection
