"""Carry a run as far as it goes in one transaction.

Its steps are a tree, and its journal says where in it the run stands. Everything that waits has a
moment at which it is looked at again; nothing sleeps in a thread.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import orjson
from pydantic import ValidationError

from soc.errors import ExpressionError, Illegal, NotFound
from soc.incidents import lifecycle
from soc.respond import acting, asking, children
from soc.respond.ending import finish, undo_steps
from soc.respond.expression import render, truth
from soc.respond.journal import ENDED, SETTLED, TIMED_OUT, Entry
from soc.respond.step import Failure, OnFailure, Step, walk
from soc.respond.turn import Failed, Outcome, Result, Turn

LOOK_AGAIN = timedelta(minutes=1)
"""How often ``until`` is asked."""


def advance(turn: Turn) -> bool:
    """Carry the run of *turn* on; return whether it goes on at once.

    What is to be done outside is in ``turn.outside`` afterwards.
    """
    playbook = turn.steps.playbook
    outcome = _timed_out(turn) or sequence(turn, playbook.steps)
    if outcome is Outcome.FAILED and playbook.on_failure:
        failed = turn.failed
        if sequence(turn, playbook.on_failure) is Outcome.OPEN:
            outcome = Outcome.OPEN
        turn.failed = failed
    if outcome is Outcome.OPEN:
        return _rest(turn)
    if outcome is Outcome.FAILED:
        finish(turn.session, turn.run, "failed", turn.failed, turn.now)
        return False
    _conclude(turn)
    return False


def recorded(turn: Turn, path: str, result: Result) -> None:
    """Write how an action ended that was performed outside."""
    if failed := acting.recorded(turn, path, result):
        step = turn.steps.by_id[path]
        fail(turn, step, turn.journal.entries[path], failed.failure, failed.error)


def sequence(turn: Turn, steps: Sequence[Step]) -> Outcome:
    """Carry *steps* on, one after the other."""
    for step in steps:
        outcome = _step(turn, step)
        if outcome is not Outcome.PASSED:
            return outcome
    return Outcome.PASSED


def fail(turn: Turn, step: Step, entry: Entry, failure: Failure, error: str) -> Outcome:
    """Write that *step* failed, and follow what it says about that."""
    turn.end(entry, "failed", {"failed": True, "kind": failure, "error": error}, error)
    if step.on_failure is OnFailure.UNDO:
        ids = {inner.id for inner in walk((step,))}
        undo_steps(turn.session, turn.run, ids, f"step {step.id} failed", turn.now)
    return _settled(turn, step, entry)


def _step(turn: Turn, step: Step) -> Outcome:
    entry = turn.journal.get(step.id)
    if entry and entry.state in ENDED:
        return _settled(turn, step, entry)
    try:
        if entry is None and step.when and not truth(step.when, turn.journal.context()):
            skipped = turn.journal.begin(step.id, step.use, {}, turn.now)
            turn.end(skipped, "skipped", {"skipped": True})
            _skip_inside(turn, step)
            return Outcome.PASSED
        return _carried(turn, step, entry)
    except (ExpressionError, ValidationError, Illegal, NotFound) as wrong:
        begun = turn.journal.get(step.id) or turn.journal.begin(step.id, step.use, {}, turn.now)
        if turn.is_dry and isinstance(wrong, ExpressionError):
            turn.end(begun, "skipped", {"skipped": True, "unknown": str(wrong)})
            return Outcome.PASSED
        return fail(turn, step, begun, Failure.INVALID, str(wrong))


def _skip_inside(turn: Turn, step: Step) -> None:
    """Write that the steps inside a skipped one were skipped too: later ones may read of them."""
    for branch in step.branches():
        for inner in walk(branch):
            entry = turn.journal.begin(inner.id, inner.use, {}, turn.now)
            turn.end(entry, "skipped", {"skipped": True})


def _carried(turn: Turn, step: Step, entry: Entry | None) -> Outcome:
    """Carry one open step on, and end it if it is over."""
    if step.use:
        outcome = acting.carry(turn, step, entry)
    elif step.approval:
        outcome = asking.carry(turn, step, entry)
    elif step.playbook:
        outcome = children.carry(turn, step, entry)
    elif step.wait:
        outcome = _wait(turn, step, entry)
    else:
        outcome = _branches(turn, step, entry)
    begun = turn.journal.entries[step.id]
    if isinstance(outcome, Failed):
        return fail(turn, step, begun, outcome.failure, outcome.error)
    if outcome is Outcome.OPEN and step.timeout and not step.use:
        return _or_timed_out(turn, step, begun, step.timeout)
    return outcome


def _settled(turn: Turn, step: Step, entry: Entry) -> Outcome:
    if entry.state in SETTLED or step.on_failure is OnFailure.CONTINUE:
        return Outcome.PASSED
    if step.handlers:
        handled = sequence(turn, step.handlers)
        if handled is not Outcome.FAILED:
            return handled
    turn.failed = turn.failed or f"step {step.id}: {entry.error}"
    return Outcome.FAILED


def _branches(turn: Turn, step: Step, entry: Entry | None) -> Outcome | Failed:
    if entry is None:
        entry = turn.journal.begin(step.id, None, {}, turn.now)
    outcomes = [sequence(turn, branch) for branch in step.branches()]
    if Outcome.OPEN in outcomes:
        return Outcome.OPEN
    if Outcome.FAILED in outcomes:
        why, turn.failed = turn.failed, ""
        return Failed(Failure.ERROR, why)
    turn.end(entry, "done", {})
    return Outcome.PASSED


def _wait(turn: Turn, step: Step, entry: Entry | None) -> Outcome:
    if entry is None:
        entry = turn.journal.begin(step.id, None, {}, turn.now)
        entry.state, entry.wake_at = "waiting", turn.now + (step.wait or timedelta())
    end = entry.wake_at or turn.now
    came = bool(step.until) and not turn.is_dry and truth(step.until or "", _present(turn))
    if came or turn.is_dry or turn.now >= end:
        turn.end(entry, "done", {"came": came})
        return Outcome.PASSED
    return turn.sleep_until(min(end, turn.now + LOOK_AGAIN) if step.until else end)


def _present(turn: Turn) -> Mapping[str, Any]:
    """Return all that expressions may read, with the incident as it is now."""
    context = dict(turn.journal.context())
    if turn.run.incident:
        incident = lifecycle.get(turn.session, turn.run.incident)
        now = {"severity": incident.severity, "state": incident.state}
        context["incident"] = {**context["incident"], **now}
    return context


def _or_timed_out(turn: Turn, step: Step, entry: Entry, longest: timedelta) -> Outcome:
    """Fail an open step whose time is over, once nothing inside it is under way."""
    end = entry.started + longest
    inside = {inner.id for inner in walk((step,))}
    if turn.now < end:
        return turn.sleep_until(end)
    if any(path.partition("[")[0] in inside for path in turn.busy):
        return Outcome.OPEN
    close(turn, inside - {step.id}, f"{step.id} took too long")
    turn.outside = [one for one in turn.outside if one.path.partition("[")[0] not in inside]
    asking.withdraw(turn, inside, f"{step.id} took too long")
    return fail(turn, step, entry, Failure.TIMEOUT, "it took too long")


def close(turn: Turn, ids: set[str], why: str) -> None:
    """End all that is open in the steps *ids*."""
    for entry in turn.journal.entries.values():
        if entry.path.partition("[")[0] in ids and entry.state not in ENDED:
            turn.end(entry, "skipped", {"skipped": True, "why": why})


def _timed_out(turn: Turn) -> Outcome | None:
    """Return FAILED if the whole run took longer than its playbook allows."""
    end = turn.run.created + turn.steps.playbook.timeout
    if turn.now < end:
        turn.wakes.append(end)
        return None
    if turn.busy:
        return Outcome.OPEN
    if turn.journal.get(TIMED_OUT) is None:
        main = {step.id for step in walk(turn.steps.playbook.steps)}
        close(turn, main, "the run took too long")
        asking.withdraw(turn, main, "the run took too long")
        entry = turn.journal.begin(TIMED_OUT, None, {}, turn.now)
        turn.end(entry, "failed", None, "the run took too long")
    turn.failed = "the run took too long"
    return Outcome.FAILED


def _rest(turn: Turn) -> bool:
    """Let the run wait for its next moment, or hand it to a person; return whether it goes on."""
    if turn.more:
        return True
    if turn.outside or turn.busy:
        return False
    doubtful = [e.path for e in turn.journal.entries.values() if e.state == "unknown"]
    if doubtful:
        why = f"nobody knows whether {', '.join(doubtful)} happened"
        finish(turn.session, turn.run, "needs_human", why, turn.now)
        return False
    turn.run.state, turn.run.wake_at = "waiting", min(turn.wakes)
    turn.run.lease_owner = turn.run.lease_until = None
    return False


def _conclude(turn: Turn) -> None:
    """End a run whose steps all passed."""
    try:
        outputs = render(dict(turn.steps.playbook.outputs), turn.journal.context())
    except ExpressionError as wrong:
        finish(turn.session, turn.run, "failed", f"outputs: {wrong}", turn.now)
        return
    turn.run.outputs_json = orjson.dumps(outputs).decode()
    finish(turn.session, turn.run, "done", "", turn.now)
