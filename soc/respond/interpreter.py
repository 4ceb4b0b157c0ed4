"""Advance a run by exactly one entry of its journal: one transaction, one decision."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

import orjson
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, select

from soc.errors import ExpressionError, SocError
from soc.respond import approvals
from soc.respond.action import Action, Repeat
from soc.respond.asking import answer, ask, propose
from soc.respond.ending import finish, undo_step
from soc.respond.expression import truth
from soc.respond.guard import NeedsApproval, decide, is_protected
from soc.respond.journal import Journal
from soc.respond.playbook import Ask, OnFailure, Step
from soc.respond.reach import facts
from soc.respond.steps import Steps
from soc.respond.world import LocalWorld, key_of
from soc.store.tables import Effect, Run
from soc.store.tables import Step as Row

PASSED = frozenset({"done", "skipped"})


class Move(Enum):
    """What comes after a journal entry. ON: the next one. REST: the run waits or has ended."""

    ON = "on"
    REST = "rest"


@dataclass(frozen=True, slots=True)
class Outside:
    """An action to be performed outside any transaction, then recorded at *path*."""

    path: str
    key: str
    action: Action


@dataclass(frozen=True, slots=True)
class Interpreter:
    """Moves runs of one playbook; holds no state of its own."""

    steps: Steps

    def advance(self, session: Session, run: Run, now: datetime) -> Move | Outside:
        """Write the next entry of the journal of *run*."""
        journal = Journal(session, run)
        for step in self.steps.playbook.steps:
            row = journal.rows.get(step.id)
            if row and (row.state in PASSED or self._tolerated(step, row)):
                continue
            try:
                return self._step(session, journal, step, row, now)
            except (ExpressionError, ValidationError) as wrong:
                row = journal.rows.get(step.id) or journal.begin(step.id, step.use, {}, now)
                return self._fail(session, journal, step, row, str(wrong), now)
        finish(session, run, "done", "", now)
        return Move.REST

    def recorded(
        self, session: Session, run: Run, path: str, output: object, error: str, now: datetime
    ) -> Move:
        """Write how an action ended that was performed outside."""
        journal = Journal(session, run)
        name = path.partition("[")[0]
        step = next(step for step in self.steps.playbook.steps if step.id == name)
        if error:
            return self._item_failed(journal, step, journal.rows[path], error, now)
        journal.end(journal.rows[path], "done", output, now)
        return Move.ON

    def _step(
        self, session: Session, journal: Journal, step: Step, row: Row | None, now: datetime
    ) -> Move | Outside:
        if row is None:
            return self._begin(session, journal, step, now)
        if row.state == "waiting":
            return Move.ON if answer(session, journal, step, row, now) else Move.REST
        items = orjson.loads(row.input_json)["items"]
        paths = [f"{step.id}[{place}]" for place in range(len(items))]
        for path, item in zip(paths, items, strict=True):
            done = journal.rows.get(path)
            if done is None or not (done.state in PASSED or self._given_up(step, done)):
                return self._item(session, journal, step, path, item, now)
        rows = [journal.rows[path] for path in paths]
        if failed := [one for one in rows if one.state == "failed"]:
            error = f"{len(failed)} of {len(rows)} failed: {failed[0].error}"
            return self._fail(session, journal, step, row, error, now)
        outputs = [orjson.loads(one.output_json or "null") for one in rows]
        journal.end(row, "done", outputs if step.for_each else outputs[0], now)
        return Move.ON

    def _begin(self, session: Session, journal: Journal, step: Step, now: datetime) -> Move:
        context, policy = journal.context(), self.steps.policy
        if step.when and not truth(step.when, context):
            row = journal.begin(step.id, step.use, {}, now)
            journal.end(row, "skipped", {"skipped": True}, now)
            return Move.ON
        if step.approval:
            later = self.steps.holds_after(step, context)
            row = journal.begin(step.id, None, {}, now)
            ask(session, journal, row, step.approval, later, policy.approval_expires, now)
            return Move.REST
        items, planned = self.steps.items(step, context), self.steps.planned(step, context)
        holds = list(planned.values())
        row = journal.begin(step.id, step.use, {"items": items}, now)
        agreed = approvals.agreed(session, journal.run.id or 0)
        held = _held(session, journal.run)
        known = facts(session, journal.run, step.use or "", holds, now)
        decision = decide(self.steps.kind(step).risk, holds, policy, agreed, held, known)
        if holds and isinstance(decision, NeedsApproval):
            propose(session, journal, step, planned, now)
            words = f"{step.title or step.use} on {len(holds)} subjects? {decision.why}"
            question = Ask(ask=words, approvers=("role:approver",))
            ask(session, journal, row, question, holds, policy.approval_expires, now)
            return Move.REST
        return Move.ON

    def _item(
        self, session: Session, journal: Journal, step: Step, path: str, item: object, now: datetime
    ) -> Move | Outside:
        try:
            action = self.steps.action(step, journal.context(item=item))
        except ValidationError as wrong:
            if step.for_each is None:
                raise
            # One bad item must not keep the others from being done.
            row = journal.begin(path, step.use, {"item": item}, now)
            journal.end(row, "skipped", {"refused": str(wrong)}, now)
            return Move.ON
        given = action.model_dump(mode="json")
        row = journal.rows.get(path) or journal.begin(path, step.use, given, now)
        hold = action.plan()
        if hold and is_protected(hold.subject, self.steps.policy):
            journal.end(row, "skipped", {"refused": f"{hold.subject} is protected"}, now)
            return Move.ON
        if action.repeat is not Repeat.LOCAL:
            return self._outside(session, journal, row, action, now)
        row.attempt += 1
        until = now + self.steps.lasts(step) if step.ttl else None
        try:
            with session.begin_nested():
                world = LocalWorld(session, journal.run, path, action.name, until, now)
                output = action.run(world)
        except (SocError, SQLAlchemyError, OSError, ValueError) as failed:
            return self._item_failed(journal, step, row, str(failed), now)
        journal.end(row, "done", output, now)
        return Move.ON

    def _outside(
        self, session: Session, journal: Journal, row: Row, action: Action, now: datetime
    ) -> Move | Outside:
        """Write the intent first; what was begun and never ended may or may not have happened."""
        in_doubt = row.state == "started" and row.attempt > 0
        if in_doubt and action.repeat not in {Repeat.SAFE, Repeat.KEY}:
            row.state = "unknown"
            why = f"nobody knows whether {row.path} happened"
            finish(session, journal.run, "needs_human", why, now)
            return Move.REST
        row.state = "started"
        row.attempt += 1
        return Outside(row.path, key_of(journal.run, row.path), action)

    def _item_failed(
        self, journal: Journal, step: Step, row: Row, error: str, now: datetime
    ) -> Move:
        journal.end(row, "failed", {}, now, error)
        if self._given_up(step, row):
            return Move.ON
        delay = step.retry.delay * step.retry.factor ** (row.attempt - 1)
        journal.run.state, journal.run.wake_at = "waiting", now + delay
        return Move.REST

    def _fail(
        self, session: Session, journal: Journal, step: Step, row: Row, error: str, now: datetime
    ) -> Move:
        journal.end(row, "failed", {"failed": True, "error": error}, now, error)
        if step.on_failure is OnFailure.CONTINUE:
            return Move.ON
        if step.on_failure is OnFailure.UNDO:
            undo_step(session, journal.run, step.id, now)
        finish(session, journal.run, "failed", f"step {step.id}: {error}", now)
        return Move.REST

    def _given_up(self, step: Step, row: Row) -> bool:
        return row.state == "failed" and row.attempt >= step.retry.attempts

    def _tolerated(self, step: Step, row: Row) -> bool:
        return row.state == "failed" and step.on_failure is OnFailure.CONTINUE


def _held(session: Session, run: Run) -> set[str]:
    query = select(Effect.subject).where(col(Effect.run) == run.id, col(Effect.state) == "active")
    return set(session.exec(query))
