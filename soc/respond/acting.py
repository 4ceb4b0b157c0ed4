"""Carry a step that uses an action: guard it, do it item by item, try again, record how it ended.

What commits with its step happened exactly once. What reaches outside is written down before it
begins; a worker that finds it begun and not ended does what the action's ``repeat`` says.
"""

from datetime import timedelta
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Table, bindparam, select
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError

from soc.errors import AccessDenied, ActionFailed, SocError
from soc.respond import asking, ledger
from soc.respond.action import Action, Repeat
from soc.respond.expression import render
from soc.respond.guard import HARMLESS, NeedsApproval, decide, is_protected
from soc.respond.journal import ENDED, Entry
from soc.respond.reach import facts
from soc.respond.step import Failure, Step
from soc.respond.turn import Failed, Outcome, Outside, Result, Turn
from soc.respond.withheld import fit_to_leave
from soc.respond.world import key_of
from soc.store.prepared import Prepared
from soc.store.tables import Effect

DEADLINE = timedelta(seconds=60)
"""How long one try of an action may take, where its step does not say."""


_EFFECTS: Table = Effect.__table__  # type: ignore[attr-defined]
_HELD = Prepared(
    select(_EFFECTS.c.subject).where(
        _EFFECTS.c.run == bindparam("of_run"), _EFFECTS.c.state == "active"
    )
)


def carry(turn: Turn, step: Step, entry: Entry | None) -> Outcome | Failed:
    """Carry a step that uses an action on."""
    if entry is None:
        entry = _begin(turn, step)
    if entry.state == "waiting" and entry.wake_at is None:
        answered = asking.permitted(turn, step, entry)
        if answered is not None:
            return answered
    if step.for_each is None:
        return _item(turn, step, entry, None)
    return _each(turn, step, entry)


def recorded(turn: Turn, path: str, result: Result) -> Failed | None:
    """Write how an action ended that was performed outside; return how its step failed, if so.

    A run that was cancelled meanwhile takes no results.
    """
    entry = turn.journal.get(path)
    step = turn.steps.by_id[path.partition("[")[0]]
    if entry is None or entry.state != "started":
        return None
    if result.failure is None:
        turn.end(entry, "done", result.output)
        if step.undo:
            _in_force(turn, step, path)
        return None
    never = turn.steps.kind(step).repeat is Repeat.NEVER
    if never and result.failure is Failure.TIMEOUT:
        turn.journal.change(entry).state = "unknown"
        entry.error = result.error
        return None
    outcome = _failed(turn, step, entry, result.failure, result.error)
    return outcome if step.for_each is None and isinstance(outcome, Failed) else None


def _in_force(turn: Turn, step: Step, path: str) -> None:
    """Write that what was intended has happened, and when it ends."""
    until = turn.now + turn.steps.lasts(step)
    ledger.activate(turn.session, key_of(turn.run, path), until, turn.now)


def classify(error: Exception) -> Failure:
    """Return the name of what *error* is."""
    if isinstance(error, ActionFailed):
        return Failure(error.kind)
    if isinstance(error, TimeoutError):
        return Failure.TIMEOUT
    if isinstance(error, PermissionError | AccessDenied):
        return Failure.DENIED
    if isinstance(error, OSError):
        return Failure.UNAVAILABLE
    return Failure.INVALID if isinstance(error, ValueError) else Failure.ERROR


def _begin(turn: Turn, step: Step) -> Entry:
    """Write that *step* has begun; ask people first where a guard says so."""
    context = turn.journal.context()
    given = {"items": turn.steps.items(step, context)} if step.for_each else {}
    planned = turn.steps.planned(step, context)
    entry = turn.journal.begin(step.id, step.use, given, turn.now)
    risk = turn.steps.risk(step)
    if risk in HARMLESS or not planned or turn.is_dry:
        return entry
    holds = list(planned.values())
    held = _held(turn)
    known = facts(turn.session, turn.run, step.use or "", holds, turn.steps.policy, turn.now)
    decision = decide(risk, holds, turn.steps.policy, turn.agreed, held, known)
    if isinstance(decision, NeedsApproval):
        asking.propose(turn, step, planned)
        asking.ask_leave(turn, step, entry, holds, decision.why)
    return entry


def _each(turn: Turn, step: Step, entry: Entry) -> Outcome | Failed:
    outcomes: list[Outcome | Failed] = []
    paths = [f"{step.id}[{place}]" for place in range(len(entry.given["items"]))]
    for path, item in zip(paths, entry.given["items"], strict=True):
        begun = turn.journal.get(path)
        if begun is None and (turn.left <= 0 or not turn.has_room()):
            turn.more = turn.more or turn.left <= 0
            return Outcome.OPEN
        begun = begun or turn.journal.begin(path, step.use, {"item": item}, turn.now)
        outcomes.append(_item(turn, step, begun, item))
    if Outcome.OPEN in outcomes:
        return Outcome.OPEN
    if failed := [one for one in outcomes if isinstance(one, Failed)]:
        error = f"{len(failed)} of {len(outcomes)} failed: {failed[0].error}"
        return Failed(failed[0].failure, error)
    turn.end(entry, "done", [turn.journal.entries[path].output for path in paths])
    return Outcome.PASSED


def _item(turn: Turn, step: Step, entry: Entry, item: object) -> Outcome | Failed:
    """Carry one item on; return how it failed for good, if it did."""
    standing = _standing(turn, entry)
    if standing is not None:
        return standing
    try:
        action = turn.steps.action(step, turn.journal.context(item=item))
    except ValidationError as wrong:
        if step.for_each is None:
            raise
        # One bad item must not keep the others from being done.
        turn.end(entry, "skipped", {"refused": str(wrong)})
        return Outcome.PASSED
    hold = action.plan()
    if hold and is_protected(hold.subject, turn.steps.policy):
        turn.end(entry, "skipped", {"refused": f"{hold.subject} is protected"})
        return Outcome.PASSED
    if turn.means.hands.is_inline(action):
        return _inline(turn, step, entry, action)
    return _outside(turn, step, entry, action, item)


def _standing(turn: Turn, entry: Entry) -> Outcome | Failed | None:
    """Return what has become of an item already, or None if it is to be done now."""
    if entry.state == "failed":
        return Failed(Failure(entry.output["kind"]), entry.error or "")
    if entry.state in ENDED:
        return Outcome.PASSED
    if entry.state == "unknown" or turn.is_under_way(entry.path):
        return Outcome.OPEN
    if entry.wake_at and entry.wake_at > turn.now:
        return turn.sleep_until(entry.wake_at)
    return None


def _inline(turn: Turn, step: Step, entry: Entry, action: Action) -> Outcome | Failed:
    if turn.left <= 0:
        turn.more = True
        return Outcome.OPEN
    turn.left -= 1
    _tried(turn, entry, action)
    try:
        with turn.session.begin_nested():
            output = turn.means.hands.perform(turn, step, entry.path, action)
    except (OperationalError, InterfaceError):
        raise  # the store is lost, which says nothing about the action
    except (SocError, SQLAlchemyError, OSError, ValueError) as failed:
        return _failed(turn, step, entry, classify(failed), str(failed))
    turn.end(entry, "done", output)
    if step.undo and not turn.is_dry:
        _intend(turn, step, entry.path, action)
        _in_force(turn, step, entry.path)
    return Outcome.PASSED


def _outside(
    turn: Turn, step: Step, entry: Entry, action: Action, item: object
) -> Outcome | Failed:
    """Write the intent first; what was begun and never ended may or may not have happened."""
    in_doubt = entry.state == "started" and entry.attempt > 0
    if in_doubt and action.repeat is Repeat.NEVER:
        turn.journal.change(entry).state = "unknown"
        return Outcome.OPEN
    if not turn.has_room():
        return Outcome.OPEN
    _tried(turn, entry, action)
    try:
        action = fit_to_leave(turn, action)
    except ActionFailed as denied:
        return _failed(turn, step, entry, classify(denied), denied.reason)
    if step.undo:
        _intend(turn, step, entry.path, action)
    key = key_of(turn.run, entry.path)
    if step.key:
        key = str(render(step.key, turn.journal.context(item=item)))
    seconds = (step.timeout or DEADLINE).total_seconds()
    look = in_doubt and action.repeat is Repeat.CHECK
    turn.outside.append(
        Outside(
            path=entry.path,
            key=key,
            action=action,
            timeout=seconds,
            look=look,
            page=turn.page,
        )
    )
    return Outcome.OPEN


def _intend(turn: Turn, step: Step, path: str, action: Action) -> None:
    """Write down what will be in force before it happens: a crash must not make it endless."""
    hold = turn.steps.held(step, action)
    effect = ledger.effect_of(key_of(turn.run, path), turn.run, path, action.name, hold, turn.now)
    ledger.propose(turn.session, effect)


def _tried(turn: Turn, entry: Entry, action: Action) -> None:
    turn.journal.change(entry)
    entry.state, entry.wake_at, entry.error = "started", None, None
    entry.attempt += 1
    given = action.model_dump(mode="json", by_alias=True)
    entry.given = {**entry.given, **given} if "item" in entry.given else given


def _failed(turn: Turn, step: Step, entry: Entry, failure: Failure, error: str) -> Outcome | Failed:
    """Try again later, or give up; return how it failed for good, if it did."""
    retry = step.retry
    if entry.attempt >= retry.attempts or failure not in retry.on:
        output: dict[str, Any] = {"failed": True, "kind": failure, "error": error}
        turn.end(entry, "failed", output, error)
        return Failed(failure, error)
    turn.journal.change(entry)
    entry.state, entry.error = "waiting", error
    entry.wake_at = turn.now + retry.pause(entry.attempt)
    return turn.sleep_until(entry.wake_at)


def _held(turn: Turn) -> set[str]:
    turn.session.flush()
    found = _HELD.run(turn.session.connection(), {"of_run": turn.run.id})
    return set(found.scalars())
