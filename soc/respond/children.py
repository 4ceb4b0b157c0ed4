"""A step that runs another playbook: a run of its own, whose end wakes the one that waits."""

from datetime import timedelta

import orjson
from sqlmodel import Session, col, select

from soc.respond.expression import render
from soc.respond.journal import Entry
from soc.respond.step import Failure, Step
from soc.respond.turn import Failed, Outcome, Turn
from soc.respond.versions import Wanted, queue
from soc.store.tables import Run

DEEPEST = 5
"""Runs inside runs."""
LOOK_AGAIN = timedelta(minutes=5)
"""When a parent looks at its child, if nothing wakes it before."""


def carry(turn: Turn, step: Step, entry: Entry | None) -> Outcome | Failed:
    """Start the run of another playbook, or take its end."""
    if entry is None:
        entry = turn.journal.begin(step.id, None, {}, turn.now)
        started = _start(turn, step)
        if isinstance(started, Failed):
            return started
        turn.journal.change(entry)
        entry.state, entry.given = "waiting", {"run": started}
        return turn.sleep_until(turn.now + LOOK_AGAIN)
    child = turn.session.exec(select(Run).where(col(Run.id) == entry.given["run"])).one()
    if child.state == "done":
        turn.end(entry, "done", orjson.loads(child.outputs_json or "{}"))
        return Outcome.PASSED
    if child.state in {"failed", "cancelled"}:
        return Failed(Failure.ERROR, f"RUN-{child.id} is {child.state}: {child.reason}")
    return turn.sleep_until(turn.now + LOOK_AGAIN)


def _start(turn: Turn, step: Step) -> int | Failed:
    playbook = turn.means.playbook(step.playbook or "")
    if playbook is None:
        return Failed(Failure.INVALID, f"there is no playbook {step.playbook}")
    if _depth(turn.session, turn.run) >= DEEPEST:
        return Failed(Failure.INVALID, f"{DEEPEST} runs inside each other are enough")
    wanted = Wanted(
        dedup=f"child:{turn.run.id}:{step.id}",
        incident=turn.run.incident,
        offered=orjson.loads(turn.run.inputs_json),
        given=render(dict(step.parameters), turn.journal.context()),
        requested_by=turn.run.requested_by,
        mode=turn.run.mode,
        parent=(turn.run.id or 0, step.id),
    )
    return queue(turn.session, playbook, wanted, turn.now)


def _depth(session: Session, run: Run) -> int:
    depth, above = 1, run.parent
    while above is not None and depth <= DEEPEST:
        depth, above = depth + 1, session.get_one(Run, above).parent
    return depth
