"""Let analysts ask with SQL: one SELECT, on events alone, without any way out."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer
from typing import Any

import duckdb

from soc.errors import QueryError
from soc.logs.reader import LogReader
from soc.model.event import REJECTS, SCHEMA
from soc.settings import Logs

COLUMNS = tuple(name for name in SCHEMA.names if name != "reason")
LIMIT = 10_000
DEFAULT = Logs()


def sql(
    reader: LogReader, query: str, limit: int = LIMIT, allowed: Logs = DEFAULT
) -> list[dict[str, Any]]:
    """Return the rows that *query*, one SELECT on the view ``events``, gives: at most *limit*.

    Raises QueryError for anything else, and for what takes more time or memory than *allowed*.
    """
    if not reader.knows_sql:
        raise QueryError("events are kept on OpenSearch, which SQL cannot ask: use soc search")
    try:
        with _connect(reader, allowed) as connection, _in_time(connection, allowed.sql_seconds):
            statements = connection.extract_statements(query)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise QueryError("write exactly one SELECT on the view events")
            found = connection.execute(statements[0])
            names = [column[0] for column in found.description or []]
            return [dict(zip(names, row, strict=True)) for row in found.fetchmany(limit)]
    except duckdb.InterruptException as late:
        raise QueryError(f"took longer than {allowed.sql_seconds:g} s: ask for less") from late
    except duckdb.Error as wrong:
        if not isinstance(wrong, duckdb.ProgrammingError):
            reader.require_whole()
        raise QueryError(str(wrong)) from wrong


@contextmanager
def _in_time(connection: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    """Interrupt whatever *connection* does after *seconds*."""
    timer = Timer(seconds, connection.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _connect(reader: LogReader, allowed: Logs) -> duckdb.DuckDBPyConnection:
    """Return an in-memory database whose only readable files are the live segments."""
    view = reader.view()
    folder = reader.root / "seg"
    files = [str(folder / segment.path) for segment in view.segments]
    connection = duckdb.connect(
        config={
            "memory_limit": f"{allowed.sql_memory_mb}MB",
            "max_temp_directory_size": "0B",
            "threads": 2,
        }
    )
    connection.register("tail", view.tail.select(SCHEMA.names))
    columns = ", ".join(f'"{name}"' for name in COLUMNS)
    parts = [f"SELECT * FROM tail WHERE class <> '{REJECTS}'"]  # noqa: S608 - constants alone
    if files:
        listed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
        source = f"read_parquet([{listed}], union_by_name=true)"
        stored = f"SELECT * FROM {source} WHERE class <> '{REJECTS}'"  # noqa: S608 - our own paths, quoted
        parts.append(stored)
    union = " UNION ALL BY NAME ".join(parts)
    connection.execute(f"CREATE VIEW events AS SELECT {columns} FROM ({union})")  # noqa: S608 - built above
    connection.execute("SET allowed_paths=?", [files])
    for setting in ("enable_external_access=false", "lock_configuration=true"):
        connection.execute(f"SET {setting}")
    return connection
