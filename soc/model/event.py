"""Events as columns: on the way in and on the way to detectors no event becomes an object."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

MOMENT = pa.timestamp("us", tz="UTC")

SCHEMA = pa.schema(
    [
        ("seq", pa.int64()),
        ("ts", MOMENT),
        ("ingested", MOMENT),
        *(
            (name, pa.string())
            for name in (
                "source", "class", "parser", "dataset", "action", "outcome", "wallet",
                "counterparty", "user_name", "src_ip", "host", "project", "round", "amount",
                "tx_hash", "event_id", "message", "reason", "raw",
            )
        ),
    ]
)  # fmt: skip
"""The columns of the event store. ``raw`` is the event as one JSON object; ``reason`` is set on
rejects alone, whose ``raw`` is what was sent."""

SHOWN = tuple(name for name in SCHEMA.names if name != "reason")
"""What an event that was taken has; a reason has only what was not."""

ASSIGNED = frozenset({"seq", "source", "class"})
"""The columns that no event says itself."""

REJECTS = "rejects"
"""The class of what no parser takes: kept and numbered like events, but no row of the view."""


class Row(NamedTuple):
    """One event between its parser and its batch; None where the event says nothing.

    ts: ``@timestamp``. amount: integer text. raw: the whole event as one JSON object.
    """

    ts: datetime
    raw: str
    parser: str
    dataset: str | None = None
    action: str | None = None
    outcome: str | None = None
    wallet: str | None = None
    counterparty: str | None = None
    user_name: str | None = None
    src_ip: str | None = None
    host: str | None = None
    project: str | None = None
    round: str | None = None
    amount: str | None = None
    tx_hash: str | None = None
    event_id: str | None = None
    message: str | None = None


class Reject(NamedTuple):
    """What no parser takes, and why."""

    raw: str
    reason: str
    event_id: str | None = None


@dataclass(frozen=True)
class Batch:
    """Events of one window, in the order of their numbers.

    table: columns of SCHEMA. upto: the last number looked at, which may lie past the last row.
    """

    table: pa.Table
    upto: int
    _columns: dict[str, list[Any]] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def column(self, name: str) -> list[Any]:
        """Return one column as Python values; the same list to everybody who asks."""
        if name not in self._columns:
            column = self.table.column(name)
            has_all_times = column.type == MOMENT and not column.null_count
            self._columns[name] = _moments(column) if has_all_times else column.to_pylist()
        return self._columns[name]

    def only(self, column: str, values: Sequence[str]) -> "Batch":
        """Return the events whose *column* is one of *values*."""
        found = pc.is_in(self.table[column], pa.array(values, pa.string()))
        return Batch(self.table.filter(found), self.upto)

    def having(self, column: str) -> "Batch":
        """Return the events that say something in *column*."""
        return Batch(self.table.filter(self.table[column].is_valid()), self.upto)

    @cached_property
    def believed(self) -> pa.Array:
        """Return when each event happened, as far as that can be believed: not after its intake."""
        both = [self.table[name].cast(pa.int64()).to_numpy() for name in ("ts", "ingested")]
        return pa.array(np.minimum(*both)).cast(MOMENT)

    @cached_property
    def moments(self) -> list[datetime]:
        """Return what is ``believed`` as Python values."""
        return _moments(self.believed)


def _moments(column: pa.Array | pa.ChunkedArray) -> list[datetime]:
    """Return moments as Python values, without asking for the zone of each, as Arrow does."""
    naive = column.cast(pa.timestamp("us")).to_numpy(zero_copy_only=False).astype(object)
    return [moment.replace(tzinfo=UTC) for moment in naive]


def document_of(raw: str) -> dict[str, Any]:
    """Return the event *raw* as an object; an empty one if it is none."""
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def numbered(rows: pa.Table, first: int) -> pa.Table:
    """Return *rows*, a table of SCHEMA, with numbers from *first* on."""
    numbers = pa.array(np.arange(first, first + rows.num_rows))
    return rows.set_column(0, SCHEMA.field("seq"), numbers)


def empty() -> pa.Table:
    """Return a table of no events."""
    return SCHEMA.empty_table()


def to_columns(rows: Sequence[Row | Reject], ingested: datetime) -> pa.Table:
    """Return *rows* as columns of SCHEMA, but seq, source and class."""
    names = [name for name in SCHEMA.names if name in Row._fields or name in Reject._fields]
    columns = {name: [getattr(row, name, None) for row in rows] for name in names}
    columns["ts"] = [moment or ingested for moment in columns["ts"]]
    made = {name: pa.array(columns[name], SCHEMA.field(name).type) for name in names}
    return complete(pa.table(made), ingested)


def complete(columns: pa.Table, ingested: datetime) -> pa.Table:
    """Return *columns*, each in its place and type, all taken in at one moment."""
    size = columns.num_rows
    given = dict(zip(columns.column_names, columns.columns, strict=True))
    given["ingested"] = pa.repeat(pa.scalar(ingested, MOMENT), size)
    nothing = pa.nulls(size, pa.string())
    names = [name for name in SCHEMA.names if name not in ASSIGNED]
    return pa.table([given.get(name, nothing) for name in names], names)


def assign(columns: pa.Table, source: Sequence[str], classes: Sequence[str]) -> pa.Table:
    """Return *columns* as a table of SCHEMA without numbers yet."""
    given = dict(zip(columns.column_names, columns.columns, strict=True))
    given["source"], given["class"] = _column(source), _column(classes)
    given["seq"] = pa.nulls(columns.num_rows, pa.int64())
    return pa.table([given[name] for name in SCHEMA.names], schema=SCHEMA)


def _column(words: Sequence[str]) -> pa.Array:
    if words and words.count(words[0]) == len(words):
        return pa.repeat(words[0], len(words))
    return pa.array(words, pa.string())


def to_table(
    rows: Sequence[Row | Reject], source: str, ingested: datetime, classes: Sequence[str]
) -> pa.Table:
    """Return *rows* as a table without numbers yet, each in the class at its place."""
    return assign(to_columns(rows, ingested), [source] * len(rows), classes)
