"""Where a run meets people: it asks, lies down, and goes on with the answer."""

from collections.abc import Mapping, Sequence

from sqlmodel import col, select

from soc.errors import Illegal
from soc.respond import approvals, ledger
from soc.respond.action import Hold
from soc.respond.ending import withdraw as withdraw_effects
from soc.respond.expression import render
from soc.respond.journal import Entry
from soc.respond.step import Ask, Failure, Step
from soc.respond.steps import APPROVED
from soc.respond.turn import Failed, Outcome, Turn
from soc.respond.world import key_of
from soc.store.tables import Approval

LEAVE = ("role:approver",)
"""Who is asked where a guard objects."""


def carry(turn: Turn, step: Step, entry: Entry | None) -> Outcome | Failed:
    """Carry a step that asks people on."""
    entry = entry or turn.journal.begin(step.id, None, {}, turn.now)
    if entry.state == "started":
        assert step.approval is not None  # noqa: S101 - the caller looked
        if turn.is_dry:
            return _shown(turn, step.approval, entry)
        _ask(turn, entry, step.approval, turn.steps.holds_after(step, turn.journal.context()))
    approval = _settled(turn, entry)
    if approval is None:
        return Outcome.OPEN
    if approval.state == "expired" and approval.on_timeout == "fail":
        return Failed(Failure.TIMEOUT, "nobody answered in time")
    voters = [v.person for v in approvals.votes_on(turn.session, approval.id or 0) if v.approve]
    approved = approval.state == "approved"
    turn.end(entry, "done", {"approved": approved, "state": approval.state, "by": voters})
    return Outcome.PASSED


def ask_leave(turn: Turn, step: Step, entry: Entry, holds: Sequence[Hold], why: str) -> None:
    """Ask whether a step may do what a guard objects to."""
    words = f"{step.title or step.use} on {len(holds)} subjects? {why}"
    _ask(turn, entry, Ask(ask=words, approvers=LEAVE), holds)


def permitted(turn: Turn, step: Step, entry: Entry) -> Outcome | None:
    """Return None if people agreed to what a guard objected to, else what becomes of *step*."""
    approval = _settled(turn, entry)
    if approval is None:
        return Outcome.OPEN
    if approval.state == "approved":
        turn.journal.change(entry).state = "started"
        return None
    turn.end(entry, "skipped", {"skipped": True, "why": approval.state})
    withdraw_effects(turn.session, turn.run, f"approval {approval.state}", step.id)
    return Outcome.PASSED


def propose(turn: Turn, step: Step, planned: Mapping[int, Hold]) -> None:
    """Show what *step* would put in force as something that waits for a person."""
    for place, hold in planned.items():
        path = f"{step.id}[{place}]" if step.for_each else step.id
        key = key_of(turn.run, path)
        effect = ledger.effect_of(key, turn.run, path, step.use or "", hold, turn.now)
        ledger.propose(turn.session, effect)


def withdraw(turn: Turn, ids: set[str], why: str) -> None:
    """End the questions of the steps *ids*: there is nothing left to answer."""
    mine = col(Approval.run) == turn.run.id
    query = select(Approval).where(mine, col(Approval.state) == approvals.PENDING)
    for approval in turn.session.exec(query):
        if approval.path in ids:
            approvals.withdraw(turn.session, approval, turn.now, why)


def _shown(turn: Turn, question: Ask, entry: Entry) -> Outcome:
    """Take the question as answered: a dry run shows it, and asks nobody."""
    words = str(render(question.ask, turn.journal.context()))
    entry.given = {"ask": words, "approvers": list(question.approvers)}
    turn.end(entry, "done", APPROVED)
    return Outcome.PASSED


def _ask(turn: Turn, entry: Entry, question: Ask, holds: Sequence[Hold]) -> None:
    context = turn.journal.context()
    asked = question.model_copy(update={"ask": str(render(question.ask, context))})
    turn.journal.change(entry).state = "waiting"
    limited = approvals.shortened(asked, turn.steps.policy.approval_expires)
    approvals.ask(turn.session, turn.run, entry.path, limited, holds, turn.now)


def _settled(turn: Turn, entry: Entry) -> Approval | None:
    """Return the question of *entry* once it is over; until then, wait for its end."""
    approval = approvals.of_step(turn.session, turn.run.id or 0, entry.path)
    if approval is None:
        raise Illegal(f"the question of {entry.path} is gone")
    if approvals.expire(turn.session, approval, turn.now):
        return approval
    turn.sleep_until(approval.expires)
    return None
