"""What people do to runs: cancel them, and settle what only a person can; all of it is audited.

Each locks the run's own row first and takes it away from whoever works on it.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import orjson
from sqlmodel import Session, col, select

from soc.access.permissions import Permission, Principal
from soc.audit import Act, record
from soc.errors import Illegal, NotFound
from soc.respond import approvals
from soc.respond.ending import undo_all, wake_parent, withdraw
from soc.respond.journal import ENDED, Entry, Journal
from soc.store.tables import Approval, PlaybookVersion, Run

Plain = dict[str, Any]
OVER = frozenset({"done", "failed", "cancelled"})
UNSETTLED = frozenset({"failed", "unknown"})
"""States of a step that a person may settle."""
MENDABLE = frozenset({"failed", "needs_human"})


def cancel(
    session: Session, number: int, who: Principal, reason: str, now: datetime, *, undo: bool
) -> None:
    """End a run that is not over, whatever it does now; with *undo*, take back what it did.

    Raises NotFound, Illegal if it is over, AccessDenied.
    """
    who.require(Permission.RESPOND)
    run = _locked(session, number)
    if run.state in OVER:
        raise Illegal(f"RUN-{number} is {run.state} already")
    journal = Journal.read(session.connection(), run)
    for entry in journal.entries.values():
        if entry.state not in ENDED and entry.use and entry.attempt:
            journal.change(entry).state = "unknown"
            entry.error = "cancelled while it was under way"
    journal.save(session.connection())
    for asked in session.exec(select(Approval).where(col(Approval.run) == number)):
        if asked.state == approvals.PENDING:
            approvals.withdraw(session, asked, now, f"RUN-{number} was cancelled")
    _take(run, "cancelled", now, reason)
    withdraw(session, run, "the run was cancelled")
    wake_parent(session, run, now)
    if undo:
        undo_all(session, run, who.name, reason or f"RUN-{number} was cancelled", now)
    _record(session, run, who, "run.cancel", reason, now)


def children_of(session: Session, number: int) -> list[int]:
    """Return the runs that a run started and that are not over."""
    query = select(Run.id).where(col(Run.parent) == number, col(Run.state).not_in(OVER))
    return [child for child in session.exec(query) if child is not None]


def retry_step(
    session: Session, number: int, path: str, who: Principal, reason: str, now: datetime
) -> None:
    """Do the step or item at *path* again, and go on from there: it did not happen."""
    _mend(session, number, path, who, reason, now, verb="run.retry-step", change=_again)


def skip_step(
    session: Session, number: int, path: str, who: Principal, reason: str, now: datetime
) -> None:
    """Leave the step or item at *path* undone, and go on after it."""

    def skip(entry: Entry) -> None:
        entry.state, entry.finished, entry.wake_at = "skipped", now, None
        entry.output = {"skipped": True, "why": reason, "by": who.name}

    _mend(session, number, path, who, reason, now, verb="run.skip-step", change=skip)


def resolve(
    session: Session,
    number: int,
    path: str,
    who: Principal,
    reason: str,
    now: datetime,
    *,
    happened: bool,
) -> None:
    """Say whether a step happened of which nobody knows; it is not done again if it did."""

    def settle(found: Entry) -> None:
        found.state, found.finished, found.error = "done", now, None
        found.output = {"resolved": True, "by": who.name}

    verb, change = ("run.resolve", settle) if happened else ("run.retry-step", _again)
    given = (session, number, path, who, reason, now)
    _mend(*given, verb=verb, change=change, of=frozenset({"unknown"}))


def settle(
    session: Session,
    number: int,
    path: str,
    who: Principal,
    reason: str,
    now: datetime,
    *,
    verb: str,
) -> None:
    """Do what *verb* says to a step: retry, skip, happened or did_not_happen."""
    if verb == "retry":
        retry_step(session, number, path, who, reason, now)
    elif verb == "skip":
        skip_step(session, number, path, who, reason, now)
    else:
        resolve(session, number, path, who, reason, now, happened=verb == "happened")


def _mend(
    session: Session,
    number: int,
    path: str,
    who: Principal,
    reason: str,
    now: datetime,
    *,
    verb: str,
    change: Callable[[Entry], None],
    of: frozenset[str] = UNSETTLED,
) -> None:
    """Change one entry of a run that stands, reopen what holds it, and queue the run again."""
    who.require(Permission.RESPOND)
    if not reason.strip():
        raise Illegal("a reason is needed")
    run = _locked(session, number)
    if run.state not in MENDABLE:
        raise Illegal(f"RUN-{number} is {run.state}: only one that failed or waits for you")
    journal = Journal.read(session.connection(), run)
    entry = journal.get(path)
    if entry is None or entry.state not in of:
        raise Illegal(f"{path} of RUN-{number} is not {' or '.join(sorted(of))}")
    change(journal.change(entry))
    for above in _holding(_steps(session, run), path):
        held = journal.get(above)
        if held and held.state == "failed":
            journal.change(held)
            held.state, held.output, held.error, held.finished = "started", None, None, None
    _reask(session, number, path)
    journal.save(session.connection())
    _take(run, "queued", None, run.reason)
    _record(session, run, who, verb, f"{path}: {reason}", now)


def _again(entry: Entry) -> None:
    entry.state, entry.attempt, entry.wake_at = "started", 0, None
    entry.output, entry.error, entry.finished = None, None, None


def _take(run: Run, state: str, finished: datetime | None, reason: str | None) -> None:
    """Put *run* into *state*; whoever works on it is fenced off."""
    run.state, run.finished, run.reason = state, finished, reason
    run.wake_at = run.lease_owner = run.lease_until = None
    run.fence, run.claims = run.fence + 1, 0


def _locked(session: Session, number: int) -> Run:
    run = session.exec(select(Run).where(col(Run.id) == number).with_for_update()).first()
    if run is None:
        raise NotFound("run", str(number))
    return run


def _steps(session: Session, run: Run) -> list[Plain]:
    pinned = session.get(PlaybookVersion, run.digest) if run.digest else None
    return orjson.loads(pinned.content_json)["steps"] if pinned else []


def _holding(steps: list[Plain], path: str) -> list[str]:
    """Return the ids of the step of *path*, if it is an item, and of all steps that hold it."""
    step_id, mark, _ = path.partition("[")
    above: list[str] = [step_id] if mark else []
    for step in steps:
        inside = _inside(step)
        if step["id"] != step_id and step_id in {one["id"] for one in _every(inside)}:
            above += [step["id"], *_holding(inside, step_id)]
    return above


def _every(steps: list[Plain]) -> Iterator[Plain]:
    for step in steps:
        yield step
        yield from _every(_inside(step))


def _inside(step: Plain) -> list[Plain]:
    """Return the steps directly inside *step*, of all its branches."""
    return [*(step["do"] or []), *(s for branch in step["parallel"] or [] for s in branch)]


def _reask(session: Session, number: int, path: str) -> None:
    """Set an ended question of *path* aside, so that the step asks anew."""
    asked = approvals.of_step(session, number, path)
    if asked is not None and asked.state != approvals.PENDING:
        asked.path = f"{path}~{asked.id}"
        session.add(asked)


def _record(
    session: Session, run: Run, who: Principal, verb: str, reason: str, now: datetime
) -> None:
    session.add(run)
    act = Act(at=now, actor=who.name, action=verb, object=f"run:{run.id}", reason=reason)
    record(session, act)
