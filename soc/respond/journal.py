"""The journal of a run: what was done, step by step, and what later steps may read of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from sqlmodel import Session, col, select

from soc.store.tables import Run, Step

ENDED = frozenset({"done", "failed", "cancelled", "needs_human"})


class Journal:
    """The rows of one run, as one transaction sees them."""

    def __init__(self, session: Session, run: Run) -> None:
        self._session, self.run = session, run
        query = select(Step).where(col(Step.run) == run.id).order_by(col(Step.order))
        self.rows = {row.path: row for row in session.exec(query)}

    def begin(self, path: str, use: str | None, given: object, now: datetime) -> Step:
        """Write that *path* has begun, with what it was given."""
        row = Step(
            run=self.run.id or 0,
            path=path,
            order=len(self.rows) + 1,
            state="started",
            use=use,
            input_json=orjson.dumps(given).decode(),
            started=now,
        )
        self._session.add(row)
        self.rows[path] = row
        return row

    def end(self, row: Step, state: str, output: object, now: datetime, error: str = "") -> None:
        """Write how *row* ended."""
        row.state, row.finished, row.error = state, now, error or None
        row.output_json = orjson.dumps(output).decode()
        self._session.add(row)

    def outputs(self) -> dict[str, Any]:
        """Return what ``steps`` offers expressions: the output of each step that ended."""
        return {
            path: orjson.loads(row.output_json)
            for path, row in self.rows.items()
            if "[" not in path and row.output_json
        }

    def context(self, **more: object) -> Mapping[str, Any]:
        """Return all that expressions may read."""
        run = {"id": self.run.id, "playbook": self.run.playbook}
        incident = orjson.loads(self.run.inputs_json)
        return {"incident": incident, "steps": self.outputs(), "run": run, **more}
