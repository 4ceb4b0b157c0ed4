"""The journal of a run: what was done, step by step, and what later steps may read of it.

It is read once for each claim, for nobody else writes a claimed run, and each transaction writes
what changed. A journal whose transaction failed is thrown away.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import orjson
from sqlalchemy import Connection, Row, Table, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from soc.store.engine import POSTGRESQL
from soc.store.prepared import Prepared
from soc.store.tables import Run, Step

SETTLED = frozenset({"done", "skipped"})
ENDED = SETTLED | {"failed"}
TIMED_OUT = "!timeout"
"""The entry of a run that took longer than its playbook allows."""

AT_A_TIME = 8
"""Entries that one statement writes."""

_STEPS: Table = Step.__table__  # type: ignore[attr-defined]
_OF_RUN = select(_STEPS).where(_STEPS.c.run == bindparam("of_run")).order_by(_STEPS.c.order)
_KEYS = ("run", "path")
_FIXED = (*_KEYS, "order", "use", "started")


@cache
def _writing(database: str, entries: int) -> Prepared:
    """Return the statement that writes as many *entries*: those that begin, and what changed."""
    rows = [
        {
            column.name: bindparam(f"{column.name}_{number}", type_=column.type)
            for column in _STEPS.c
        }
        for number in range(entries)
    ]
    insert = postgresql.insert(_STEPS) if database == POSTGRESQL else sqlite.insert(_STEPS)
    new = insert.values(rows)
    changing = {c.name: new.excluded[c.name] for c in _STEPS.c if c.name not in _FIXED}
    return Prepared(new.on_conflict_do_update(index_elements=_KEYS, set_=changing))


@dataclass(slots=True)
class Entry:
    """One step, or one item of a ``for_each``. given, output: JSON values.

    state: started, waiting, done, skipped, failed, or unknown: nobody knows whether it happened.
    """

    path: str
    order: int
    state: str
    use: str | None
    given: Any
    started: datetime
    attempt: int = 0
    output: Any = None
    error: str | None = None
    wake_at: datetime | None = None
    finished: datetime | None = None


class Journal:
    """The entries of one run."""

    def __init__(self, run: Run, entries: Iterator[Entry] | tuple[Entry, ...] = ()) -> None:
        self.run = run
        self.entries = {entry.path: entry for entry in entries}
        self._changed: dict[str, Entry] = {}
        self._incident = orjson.loads(run.inputs_json)
        self._parameters = orjson.loads(run.parameters_json)

    @classmethod
    def read(cls, connection: Connection, run: Run) -> "Journal":
        """Return the journal of *run* as it was written."""
        return cls(run, map(_entry_of, connection.execute(_OF_RUN, {"of_run": run.id})))

    def get(self, path: str) -> Entry | None:
        """Return the entry at *path*, if it has begun."""
        return self.entries.get(path)

    def begin(self, path: str, use: str | None, given: object, now: datetime) -> Entry:
        """Write that *path* has begun, with what it was given."""
        entry = Entry(path, len(self.entries) + 1, "started", use, given, now)
        self.entries[path] = entry
        return self.change(entry)

    def change(self, entry: Entry) -> Entry:
        """Return *entry*, which the caller changes now."""
        self._changed[entry.path] = entry
        return entry

    def end(self, entry: Entry, state: str, output: object, now: datetime, error: str = "") -> None:
        """Write how *entry* ended."""
        self.change(entry)
        entry.state, entry.finished, entry.error = state, now, error or None
        entry.output, entry.wake_at = output, None

    def save(self, connection: Connection) -> None:
        """Write what changed since the last time, in the transaction of *connection*."""
        changed = list(self._changed.values())
        for start in range(0, len(changed), AT_A_TIME):
            rows = list(map(self._row, changed[start : start + AT_A_TIME]))
            given = {
                f"{key}_{n}": value for n, row in enumerate(rows) for key, value in row.items()
            }
            _writing(connection.dialect.name, len(rows)).run(connection, given)
        self._changed = {}

    def outputs(self) -> dict[str, Any]:
        """Return what ``steps`` offers expressions: the output of each step that ended."""
        return {
            path: entry.output
            for path, entry in self.entries.items()
            if entry.output is not None and "[" not in path
        }

    def context(self, **more: object) -> Mapping[str, Any]:
        """Return all that expressions may read."""
        failed = next((e.path for e in self.entries.values() if e.state == "failed"), None)
        run = {"id": self.run.id, "playbook": self.run.playbook, "failed_step": failed}
        offered = {"incident": self._incident, "inputs": self._parameters, "run": run}
        return {**offered, "steps": self.outputs(), **more}

    def _row(self, entry: Entry) -> dict[str, Any]:
        output = entry.output
        return {
            "run": self.run.id,
            "path": entry.path,
            "order": entry.order,
            "use": entry.use,
            "started": entry.started,
            "state": entry.state,
            "attempt": entry.attempt,
            "input_json": orjson.dumps(entry.given).decode(),
            "output_json": None if output is None else orjson.dumps(output).decode(),
            "error": entry.error,
            "wake_at": entry.wake_at,
            "finished": entry.finished,
        }


def _entry_of(row: Row[Any]) -> Entry:
    return Entry(
        row.path,
        row.order,
        row.state,
        row.use,
        orjson.loads(row.input_json),
        row.started,
        row.attempt,
        orjson.loads(row.output_json) if row.output_json else None,
        row.error,
        row.wake_at,
        row.finished,
    )
