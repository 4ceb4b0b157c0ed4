"""Take effects back: a run of its own, which does so in the order it was given, each once."""

from datetime import timedelta

import orjson
from pydantic import ValidationError

from soc.errors import ExpressionError, NotFound
from soc.respond import ledger
from soc.respond.acting import DEADLINE
from soc.respond.action import Action, Repeat
from soc.respond.ending import finish
from soc.respond.journal import SETTLED, Entry, Journal
from soc.respond.step import Retry
from soc.respond.turn import Outside, Result, Turn
from soc.store.tables import Effect, Run

AGAIN = Retry(attempts=8, delay=timedelta(seconds=5), max=timedelta(minutes=10))
"""How often an undo that fails is tried again, whatever it fails of."""


def advance(turn: Turn) -> bool:
    """Carry an undo on; return whether it goes on at once."""
    for effect_id in orjson.loads(turn.run.inputs_json)["effects"]:
        entry = turn.journal.get(effect_id) or turn.journal.begin(effect_id, None, {}, turn.now)
        if entry.state not in SETTLED:
            if turn.left <= 0:
                return True
            if not _take_back(turn, entry, turn.session.get_one(Effect, effect_id)):
                return False
    finish(turn.session, turn.run, "done", turn.run.reason or "", turn.now)
    return False


def recorded(turn: Turn, path: str, result: Result) -> None:
    """Write how the undo of one effect ended."""
    entry = turn.journal.entries[path]
    if result.failure is None:
        _lifted(turn, entry)
        return
    turn.journal.change(entry)
    entry.error = result.error
    if entry.attempt >= AGAIN.attempts:
        entry.state = "failed"
        return
    entry.state, entry.wake_at = "waiting", turn.now + AGAIN.pause(entry.attempt)


def _take_back(turn: Turn, entry: Entry, effect: Effect) -> bool:
    """Carry the undo of one effect on; return whether it is over."""
    kind = turn.means.actions.get(effect.action)
    if effect.state == "lifted" or (kind and kind.undoes and kind.repeat is Repeat.LOCAL):
        turn.left -= 1
        _lifted(turn, entry)
        return True
    if entry.state in {"failed", "unknown"}:
        why = f"{entry.path} cannot be taken back: {entry.error}"
        finish(turn.session, turn.run, "needs_human", why, turn.now)
        return False
    if turn.is_under_way(entry.path):
        return False
    if entry.wake_at and entry.wake_at > turn.now:
        turn.run.state, turn.run.wake_at = "waiting", entry.wake_at
        turn.run.lease_owner = turn.run.lease_until = None
        return False
    _begin(turn, entry, effect)
    return False


def _begin(turn: Turn, entry: Entry, effect: Effect) -> None:
    try:
        action, own = _way_back(turn, effect)
    except (ExpressionError, NotFound, ValidationError, KeyError) as wrong:
        _give_up(turn, entry, str(wrong))
        return
    doubtful = entry.state == "started" and entry.attempt > 0
    if doubtful and action.repeat is Repeat.NEVER:
        _give_up(turn, entry, "nobody knows whether it was taken back")
        return
    turn.journal.change(entry)
    entry.state, entry.wake_at, entry.use = "started", None, action.name
    entry.attempt += 1
    key = f"undo-{effect.id}"
    look = doubtful and action.repeat is Repeat.CHECK
    seconds = DEADLINE.total_seconds()
    turn.outside.append(
        Outside(path=entry.path, key=key, action=action, timeout=seconds, undo=own, look=look)
    )


def _give_up(turn: Turn, entry: Entry, why: str) -> None:
    turn.journal.change(entry)
    entry.state, entry.error = "unknown", why
    finish(turn.session, turn.run, "needs_human", f"{entry.path}: {why}", turn.now)


def _way_back(turn: Turn, effect: Effect) -> tuple[Action, bool]:
    """Return the action that takes *effect* back, and whether by its own ``undo``."""
    step = turn.steps.by_id[effect.path.partition("[")[0]]
    journal = Journal.read(turn.session.connection(), turn.session.get_one(Run, effect.run))
    begun = journal.entries[effect.path]
    context = journal.context(item=begun.given.get("item"))
    if step.undo is None:
        return turn.steps.action(step, context), True
    return turn.steps.made(step.undo.use, step.undo.parameters, context), False


def _lifted(turn: Turn, entry: Entry) -> None:
    why = turn.run.reason or ""
    ledger.lift(turn.session, entry.path, turn.run.requested_by, turn.now, why)
    turn.end(entry, "done", {})
