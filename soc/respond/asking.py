"""Where a run meets people: it asks, lies down, and goes on with the answer."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlmodel import Session

from soc.respond import approvals, ledger
from soc.respond.action import Hold
from soc.respond.ending import withdraw
from soc.respond.expression import render
from soc.respond.journal import Journal
from soc.respond.playbook import Ask, Step
from soc.respond.world import key_of
from soc.store.tables import Step as Row


def ask(
    session: Session,
    journal: Journal,
    row: Row,
    question: Ask,
    holds: Sequence[Hold],
    longest: timedelta | None,
    now: datetime,
) -> None:
    """Ask *question* about exactly *holds*; the run waits."""
    asked = question.model_copy(update={"ask": str(render(question.ask, journal.context()))})
    row.state = "waiting"
    limited = approvals.shortened(asked, longest)
    approvals.ask(session, journal.run, row.path, limited, holds, now)


def propose(
    session: Session, journal: Journal, step: Step, planned: Mapping[int, Hold], now: datetime
) -> None:
    """Show what *step* would put in force as something that waits for a person."""
    for place, hold in planned.items():
        path = f"{step.id}[{place}]"
        key = key_of(journal.run, path)
        effect = ledger.effect_of(key, journal.run, path, step.use or "", hold, now)
        ledger.propose(session, effect)


def answer(session: Session, journal: Journal, step: Step, row: Row, now: datetime) -> bool:
    """Take the answer, if there is one; return False if the run must wait on."""
    approval = approvals.of_step(session, journal.run.id or 0, step.id)
    if approval is None or not approvals.expire(approval, now):
        journal.run.state = "waiting"
        journal.run.wake_at = approval.expires if approval else now
        return False
    approved = approval.state == "approved"
    if step.approval:
        voters = [vote.person for vote in approvals.votes_on(session, approval.id or 0)]
        output = {"approved": approved, "state": approval.state, "by": voters}
        journal.end(row, "done", output, now)
    elif approved:
        row.state = "started"
    else:
        journal.end(row, "skipped", {"skipped": True, "why": approval.state}, now)
        withdraw(session, journal.run, f"approval {approval.state}")
    return True
