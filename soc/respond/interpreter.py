"""Advance a run by exactly one entry of its journal: one transaction, one decision."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

import orjson
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, select

from soc.audit import Act, record
from soc.content.kinds import duration_text
from soc.errors import ExpressionError, SocError
from soc.respond import approvals, ledger
from soc.respond.action import Action, Hold, Repeat
from soc.respond.expression import render, truth
from soc.respond.guard import NeedsApproval, decide, is_protected
from soc.respond.journal import Journal
from soc.respond.playbook import Ask, OnFailure, Playbook, Step
from soc.respond.steps import action_of, holds_after, holds_of, items_of
from soc.respond.world import LocalWorld, key_of
from soc.settings import Respond
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

    playbook: Playbook
    actions: Mapping[str, type[Action]]
    policy: Respond

    def advance(self, session: Session, run: Run, now: datetime) -> Move | Outside:
        """Write the next entry of the journal of *run*."""
        journal = Journal(session, run)
        for step in self.playbook.steps:
            row = journal.rows.get(step.id)
            if row and (row.state in PASSED or self._tolerated(step, row)):
                continue
            try:
                return self._step(session, journal, step, row, now)
            except (ExpressionError, ValidationError) as wrong:
                row = row or journal.begin(step.id, step.use, {}, now)
                return self._fail(session, journal, step, row, str(wrong), now)
        finish(session, run, "done", "", now)
        return Move.REST

    def recorded(
        self, session: Session, run: Run, path: str, output: object, error: str, now: datetime
    ) -> Move:
        """Write how an action ended that was performed outside."""
        journal = Journal(session, run)
        step = next(s for s in self.playbook.steps if s.id == path.partition("[")[0])
        if error:
            return self._item_failed(session, journal, step, journal.rows[path], error, now)
        journal.end(journal.rows[path], "done", output, now)
        return Move.ON

    def _step(
        self, session: Session, journal: Journal, step: Step, row: Row | None, now: datetime
    ) -> Move | Outside:
        if row is None:
            return self._begin(session, journal, step, now)
        if row.state == "waiting":
            return self._answer(session, journal, step, row, now)
        items = orjson.loads(row.input_json)["items"]
        for index, item in enumerate(items):
            path = f"{step.id}[{index}]"
            done = journal.rows.get(path)
            if done is None or done.state not in PASSED:
                return self._item(session, journal, step, path, item, now)
        outputs = [
            orjson.loads(journal.rows[f"{step.id}[{i}]"].output_json or "null")
            for i in range(len(items))
        ]
        journal.end(row, "done", outputs if step.for_each else outputs[0], now)
        return Move.ON

    def _begin(self, session: Session, journal: Journal, step: Step, now: datetime) -> Move:
        context = journal.context()
        if step.when and not truth(step.when, context):
            row = journal.begin(step.id, step.use, {}, now)
            journal.end(row, "skipped", {"skipped": True}, now)
            return Move.ON
        if step.approval:
            row = journal.begin(step.id, None, {}, now)
            return self._ask(
                session,
                journal,
                row,
                step.approval,
                holds_after(self.playbook, step, context, self.actions),
                now,
            )
        items = items_of(step, context)
        holds = holds_of(step, context, self.actions)
        row = journal.begin(step.id, step.use, {"items": items}, now)
        agreed = approvals.agreed(session, journal.run.id or 0)
        decision = decide(
            self._kind(step).risk, holds, self.policy, agreed, self._held(session, journal.run)
        )
        if isinstance(decision, NeedsApproval):
            for index, hold in enumerate(holds):
                path = f"{step.id}[{index}]"
                effect = ledger.effect_of(
                    key_of(journal.run, path), journal.run, path, step.use or "", hold, now
                )
                ledger.propose(session, effect)
            question = Ask(
                ask=f"{step.title or step.use} on {len(holds)} subjects? {decision.why}",
                approvers=("role:approver",),
            )
            return self._ask(session, journal, row, question, holds, now)
        return Move.ON

    def _ask(
        self,
        session: Session,
        journal: Journal,
        row: Row,
        question: Ask,
        holds: list[Hold],
        now: datetime,
    ) -> Move:
        asked = question.model_copy(update={"ask": render(question.ask, journal.context())})
        row.state = "waiting"
        approvals.ask(
            session,
            journal.run,
            row.path,
            approvals.shortened(asked, self.policy.approval_expires),
            holds,
            now,
        )
        return Move.REST

    def _answer(
        self, session: Session, journal: Journal, step: Step, row: Row, now: datetime
    ) -> Move:
        approval = approvals.of_step(session, journal.run.id or 0, step.id)
        if approval is None or not approvals.expire(approval, now):
            journal.run.state = "waiting"
            journal.run.wake_at = approval.expires if approval else now
            return Move.REST
        approved = approval.state == "approved"
        if step.approval:
            voters = [vote.person for vote in approvals.votes_on(session, approval.id or 0)]
            output = {"approved": approved, "state": approval.state, "by": voters}
            journal.end(row, "done", output, now)
        elif approved:
            row.state = "started"
        else:
            journal.end(row, "skipped", {"skipped": True, "why": approval.state}, now)
            for effect in session.exec(
                select(Effect).where(
                    col(Effect.run) == journal.run.id, col(Effect.state) == "proposed"
                )
            ):
                effect.state = "failed"
                effect.reason = f"approval {approval.state}"
        return Move.ON

    def _item(
        self, session: Session, journal: Journal, step: Step, path: str, item: object, now: datetime
    ) -> Move | Outside:
        action = action_of(step, journal.context(item=item), self.actions)
        row = journal.rows.get(path) or journal.begin(
            path, step.use, action.model_dump(mode="json"), now
        )
        hold = action.plan()
        if hold and is_protected(hold.subject, self.policy):
            journal.end(row, "skipped", {"refused": f"{hold.subject} is protected"}, now)
            return Move.ON
        if action.repeat is not Repeat.LOCAL:
            return self._outside(session, journal, row, action, now)
        row.attempt += 1
        until = now + self._ttl(step) if step.ttl else None
        try:
            with session.begin_nested():
                world = LocalWorld(session, journal.run, path, action.name, until, now)
                output = action.run(world)
        except (SocError, SQLAlchemyError, OSError, ValueError) as failed:
            return self._item_failed(session, journal, step, row, str(failed), now)
        journal.end(row, "done", output, now)
        return Move.ON

    def _outside(
        self, session: Session, journal: Journal, row: Row, action: Action, now: datetime
    ) -> Move | Outside:
        """Write the intent first; what was begun and never ended may or may not have happened."""
        in_doubt = row.state == "started" and row.attempt > 0
        if in_doubt and action.repeat not in {Repeat.SAFE, Repeat.KEY}:
            row.state = "unknown"
            finish(
                session,
                journal.run,
                "needs_human",
                f"nobody knows whether {row.path} happened",
                now,
            )
            return Move.REST
        row.state = "started"
        row.attempt += 1
        return Outside(row.path, key_of(journal.run, row.path), action)

    def _item_failed(
        self, session: Session, journal: Journal, step: Step, row: Row, error: str, now: datetime
    ) -> Move:
        journal.end(row, "failed", {}, now, error)
        if row.attempt < step.retry.attempts:
            delay = step.retry.delay * step.retry.factor ** (row.attempt - 1)
            journal.run.state, journal.run.wake_at = "waiting", now + delay
            return Move.REST
        return self._fail(session, journal, step, journal.rows[step.id], error, now)

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

    def _kind(self, step: Step) -> type[Action]:
        return self.actions[step.use or ""]

    def _ttl(self, step: Step) -> timedelta:
        return self.policy.ttl.get(f"{self.playbook.name}/{step.id}", step.ttl or timedelta())

    def _held(self, session: Session, run: Run) -> set[str]:
        query = select(Effect.subject).where(
            col(Effect.run) == run.id, col(Effect.state) == "active"
        )
        return set(session.exec(query))

    def _tolerated(self, step: Step, row: Row) -> bool:
        return row.state == "failed" and step.on_failure is OnFailure.CONTINUE


def finish(session: Session, run: Run, state: str, reason: str, now: datetime) -> None:
    """End *run*, or hand it to a person."""
    run.state, run.finished, run.lease_owner, run.lease_until = state, now, None, None
    run.reason = reason or run.reason
    outcome = "done" if state == "done" else "failed"
    took = duration_text(now - run.created)
    act = Act(
        at=now,
        actor=f"playbook:{run.playbook}",
        action=f"run.{state}",
        object=f"run:{run.id}",
        outcome=outcome,
        reason=reason,
        detail={"took": took},
    )
    record(session, act)


def undo_step(session: Session, run: Run, step: str, now: datetime) -> None:
    """Queue the undo of everything that *step* put in force, last first."""
    query = select(Effect).where(col(Effect.run) == run.id, col(Effect.state) == "active")
    found = [e for e in session.exec(query) if e.path.partition("[")[0] == step]
    for effect in sorted(found, key=lambda e: e.active or now, reverse=True):
        ledger.ask_lift(session, effect.id, "soc", f"step {step} of RUN-{run.id} failed", now)
