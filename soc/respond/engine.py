"""Run playbooks so that a crash anywhere loses nothing and repeats nothing.

A worker claims a run by a lease and a fence, writes one journal entry per transaction, and every
transaction begins by checking the fence. A run whose worker died is claimed again when its lease
ends; it continues at the first entry that is not done.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import orjson
from sqlmodel import Session, and_, col, or_, select

from soc.clock import Clock
from soc.errors import Fenced
from soc.model.value import rfc3339
from soc.respond import approvals, ledger
from soc.respond.action import Action, Http
from soc.respond.ending import finish
from soc.respond.interpreter import Interpreter, Move, Outside
from soc.respond.notifier import Notifier
from soc.respond.playbook import Playbook
from soc.respond.steps import Steps
from soc.respond.world import OutsideWorld
from soc.settings import Respond
from soc.store.session import Database, reading, session
from soc.store.tables import PlaybookVersion, Run

CLAIMS = 5
"""Takeovers without progress before a run is handed to a person."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to write a run, until somebody else claims it."""

    run: int
    fence: int


class Engine:
    """One worker's hands."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        policy: Respond,
        actions: Mapping[str, type[Action]],
        notifier: Notifier,
        owner: str,
        http: Http | None = None,
    ) -> None:
        self._database, self._clock, self._policy, self._http = database, clock, policy, http
        self._actions, self._notifier, self._owner = actions, notifier, owner

    def work(self) -> bool:
        """Claim a run that is due and carry it as far as it goes; return whether there was one."""
        with session(self._database) as writing:
            claim = self._claim(writing)
        if claim is None:
            return False
        try:
            while self._once(claim):
                pass
        except Fenced:
            return True
        return True

    def end_due(self) -> int:
        """Queue the undo of every effect whose time is over; return how many."""
        with session(self._database) as writing:
            approvals.withdraw_closed(writing, self._clock.now())
            return ledger.end_due(writing, self._clock.now())

    def remind(self) -> None:
        """Tell approvers what waits for them: once each, also after a crash."""
        with reading(self._database) as looking:
            asked = approvals.pending(looking)
        for one in asked:
            to = tuple(orjson.loads(one.approvers_json))
            title = f"Approval {one.id} waits until {rfc3339(one.expires)}"
            self._notifier.send(f"approval:{one.id}", to, title, one.ask, self._clock.now())

    def _claim(self, writing: Session) -> Claim | None:
        now = self._clock.now()
        due = or_(
            col(Run.state) == "queued",
            and_(col(Run.state) == "waiting", col(Run.wake_at) <= now),
            and_(col(Run.state) == "running", col(Run.lease_until) <= now),
        )
        query = select(Run).where(due).order_by(col(Run.id)).limit(1)
        run = writing.exec(query.with_for_update(skip_locked=True)).first()
        if run is None:
            return None
        run.claims = run.claims + 1 if run.state == "running" else 0
        if run.claims > CLAIMS:
            finish(writing, run, "needs_human", f"{CLAIMS} workers died on it", now)
            return None
        run.state, run.started, run.wake_at = "running", run.started or now, None
        run.lease_owner, run.lease_until = self._owner, now + self._policy.lease
        run.fence += 1
        assert run.id is not None  # noqa: S101 - it was read from the store
        return Claim(run.id, run.fence)

    def _once(self, claim: Claim) -> bool:
        """Write one journal entry; return whether there is more to do now."""
        with self._held(claim) as (writing, run):
            if run.kind == "undo":
                self._undo(writing, run)
                return False
            interpreter = self._interpreter(writing, run)
            move = interpreter.advance(writing, run, self._clock.now())
            if move is Move.ON:
                run.claims = 0
        if isinstance(move, Outside):
            output, error = self._perform(move)
            with self._held(claim) as (writing, run):
                now = self._clock.now()
                move = interpreter.recorded(writing, run, move.path, output, error, now)
                run.claims = 0
        return move is Move.ON

    def _perform(self, outside: Outside) -> tuple[object, str]:
        world = OutsideWorld(outside.key, self._notifier, self._clock.now(), self._http)
        try:
            return outside.action.run(world), ""
        except Exception as failed:  # noqa: BLE001 - one of the five edges: a step that fails is recorded
            return {}, f"{type(failed).__name__}: {failed}"

    def _undo(self, writing: Session, run: Run) -> None:
        now = self._clock.now()
        ledger.lift(writing, run.effect or "", run.requested_by, now)
        finish(writing, run, "done", run.reason or "", now)

    @contextmanager
    def _held(self, claim: Claim) -> Iterator[tuple[Session, Run]]:
        """Give a transaction on the claimed run; raise Fenced if somebody else has it."""
        with session(self._database) as writing:
            run = writing.get(Run, claim.run, with_for_update=True)
            if run is None or run.fence != claim.fence or run.state != "running":
                raise Fenced(f"RUN-{claim.run}")
            run.lease_until = self._clock.now() + self._policy.lease
            yield writing, run
            writing.add(run)

    def _interpreter(self, writing: Session, run: Run) -> Interpreter:
        pinned = writing.get(PlaybookVersion, run.digest)
        if pinned is None:
            raise Fenced(f"RUN-{run.id} without its playbook")
        playbook = Playbook.model_validate_json(pinned.content_json, context=dict(self._actions))
        return Interpreter(Steps(playbook, self._actions, self._policy))
