"""The journal of a run: what was done, step by step, and what later steps may read of it.

It is read once for each claim, for nobody else writes a claimed run, and each transaction writes
what changed. A journal whose transaction failed is thrown away.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Table, bindparam, insert, update
from sqlmodel import Session, col, select

from soc.store.tables import Run, Step

SETTLED = frozenset({"done", "skipped"})
ENDED = SETTLED | {"failed"}
TIMED_OUT = "!timeout"
"""The entry of a run that took longer than its playbook allows."""

_STEPS: Table = Step.__table__  # type: ignore[attr-defined]
_NEW = insert(_STEPS)
_CHANGED = (
    update(_STEPS)
    .where(_STEPS.c.run == bindparam("of_run"), _STEPS.c.path == bindparam("at_path"))
    .values(
        {
            name: bindparam(f"new_{name}")
            for name in (
                "state",
                "attempt",
                "input_json",
                "output_json",
                "error",
                "wake_at",
                "finished",
            )
        }
    )
)


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
        self._new: list[Entry] = []
        self._changed: dict[str, Entry] = {}
        self._incident = orjson.loads(run.inputs_json)
        self._parameters = orjson.loads(run.parameters_json)

    @classmethod
    def read(cls, session: Session, run: Run) -> "Journal":
        """Return the journal of *run* as it was written."""
        rows = session.exec(select(Step).where(col(Step.run) == run.id).order_by(col(Step.order)))
        return cls(run, map(_entry_of, rows))

    def get(self, path: str) -> Entry | None:
        """Return the entry at *path*, if it has begun."""
        return self.entries.get(path)

    def begin(self, path: str, use: str | None, given: object, now: datetime) -> Entry:
        """Write that *path* has begun, with what it was given."""
        entry = Entry(path, len(self.entries) + 1, "started", use, given, now)
        self.entries[path] = entry
        self._new.append(entry)
        return entry

    def change(self, entry: Entry) -> Entry:
        """Return *entry*, which the caller changes now."""
        self._changed[entry.path] = entry
        return entry

    def end(self, entry: Entry, state: str, output: object, now: datetime, error: str = "") -> None:
        """Write how *entry* ended."""
        self.change(entry)
        entry.state, entry.finished, entry.error = state, now, error or None
        entry.output, entry.wake_at = output, None

    def save(self, session: Session) -> None:
        """Write what changed since the last time, in the transaction of *session*."""
        fresh = {entry.path for entry in self._new}
        if self._new:
            session.connection().execute(_NEW, [self._row(entry) for entry in self._new])
        changed = [entry for path, entry in self._changed.items() if path not in fresh]
        if changed:
            session.connection().execute(_CHANGED, [self._change(entry) for entry in changed])
        self._new, self._changed = [], {}

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
        return {
            "run": self.run.id,
            "path": entry.path,
            "order": entry.order,
            "use": entry.use,
            "started": entry.started,
            **_changing(entry),
        }

    def _change(self, entry: Entry) -> dict[str, Any]:
        new = {f"new_{name}": value for name, value in _changing(entry).items()}
        return {"of_run": self.run.id, "at_path": entry.path, **new}


def _changing(entry: Entry) -> dict[str, Any]:
    return {
        "state": entry.state,
        "attempt": entry.attempt,
        "input_json": orjson.dumps(entry.given).decode(),
        "output_json": None if entry.output is None else orjson.dumps(entry.output).decode(),
        "error": entry.error,
        "wake_at": entry.wake_at,
        "finished": entry.finished,
    }


def _entry_of(row: Step) -> Entry:
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
