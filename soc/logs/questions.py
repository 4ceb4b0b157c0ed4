"""The few questions of the suite itself that are about all events, answered by DuckDB."""

from datetime import datetime

from soc.logs.port import Sender
from soc.logs.query import sql
from soc.logs.reader import LogReader
from soc.model.value import micros, moment_of

ALL = 1_000_000


def senders(reader: LogReader) -> list[Sender]:
    """Return what is stored of each source, in the order of their names."""
    rows = sql(
        reader,
        "SELECT source, count(*) AS events, max(epoch_us(ingested)) AS at, "
        "list(DISTINCT parser ORDER BY parser) AS parsers FROM events GROUP BY source "
        "ORDER BY source",
        ALL,
    )
    return [
        Sender(
            row["source"], row["events"], moment_of(row["at"]), tuple(filter(None, row["parsers"]))
        )
        for row in rows
    ]


def newest(reader: LogReader, column: str, upto: datetime) -> dict[str, datetime]:
    """Return when the newest event of each value of *column* happened, of those in by *upto*."""
    rows = sql(
        reader,
        f'SELECT "{column}" AS name, max(least(epoch_us(ts), epoch_us(ingested))) AS at '  # noqa: S608 - a column of ours and a number
        f"FROM events WHERE epoch_us(ingested) <= {micros(upto)} AND name IS NOT NULL "
        "GROUP BY name ORDER BY name",
        ALL,
    )
    return {row["name"]: moment_of(row["at"]) for row in rows}


def last_intake(reader: LogReader, source: str) -> datetime | None:
    """Return when the newest event of *source* came, or None."""
    quoted = source.replace("'", "''")
    asked = f"SELECT max(epoch_us(ingested)) AS at FROM events WHERE source = '{quoted}'"  # noqa: S608 - quoted
    (row,) = sql(reader, asked)
    return None if row["at"] is None else moment_of(row["at"])


def last_before(reader: LogReader, moment: datetime) -> int:
    """Return the last number of the events in by *moment*, or 0."""
    asked = f"SELECT max(seq) AS last FROM events WHERE epoch_us(ingested) <= {micros(moment)}"  # noqa: S608 - a number
    (row,) = sql(reader, asked)
    return row["last"] or 0
