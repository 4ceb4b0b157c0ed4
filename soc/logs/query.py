"""Let analysts ask with SQL: one SELECT, on events alone, without any way out."""

from typing import Any

import duckdb

from soc.errors import QueryError
from soc.logs.reader import LogReader
from soc.model.event import REJECTS, SCHEMA

COLUMNS = tuple(name for name in SCHEMA.names if name != "reason")
LIMIT = 10_000


def sql(reader: LogReader, query: str, limit: int = LIMIT) -> list[dict[str, Any]]:
    """Return the rows that *query*, one SELECT on the view ``events``, gives: at most *limit*."""
    with _connect(reader) as connection:
        try:
            statements = connection.extract_statements(query)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise QueryError("write exactly one SELECT on the view events")
            found = connection.execute(statements[0])
            names = [column[0] for column in found.description or []]
            return [dict(zip(names, row, strict=True)) for row in found.fetchmany(limit)]
        except duckdb.Error as wrong:
            raise QueryError(str(wrong)) from wrong


def _connect(reader: LogReader) -> duckdb.DuckDBPyConnection:
    """Return an in-memory database whose only readable files are the live segments."""
    view = reader.view()
    folder = reader.root / "seg"
    files = [str(folder / segment.path) for segment in view.segments]
    connection = duckdb.connect(config={"memory_limit": "2GB", "threads": 2})
    connection.register("tail", view.tail.select(SCHEMA.names))
    columns = ", ".join(f'"{name}"' for name in COLUMNS)
    parts = [f"SELECT * FROM tail WHERE class <> '{REJECTS}'"]  # noqa: S608 - constants alone
    if files:
        listed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
        stored = f"SELECT * FROM read_parquet([{listed}]) WHERE class <> '{REJECTS}'"  # noqa: S608 - our own paths, quoted
        parts.append(stored)
    union = " UNION ALL BY NAME ".join(parts)
    connection.execute(f"CREATE VIEW events AS SELECT {columns} FROM ({union})")  # noqa: S608 - built above
    connection.execute("SET allowed_paths=?", [files])
    for setting in ("enable_external_access=false", "lock_configuration=true"):
        connection.execute(f"SET {setting}")
    return connection
