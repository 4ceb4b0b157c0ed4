"""Run playbooks so that a crash anywhere loses nothing and repeats nothing.

A worker claims a run by a lease and a fence, and every transaction on it begins by checking the
fence on the run's own row. A run whose worker died is claimed again when its lease ends; it
continues at the first entry of its journal that is not done. What waits is a row with a moment.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import orjson
from sqlalchemy import (
    Boolean,
    Select,
    Table,
    UpdateBase,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    update,
)
from sqlmodel import Session

from soc.clock import Clock
from soc.errors import Fenced
from soc.model.value import rfc3339
from soc.respond import approvals, flow, ledger, undoing
from soc.respond.action import World
from soc.respond.ending import finish
from soc.respond.flights import Crew, Flights
from soc.respond.hands import DryHands
from soc.respond.journal import Journal
from soc.respond.playbook import Playbook
from soc.respond.steps import Steps
from soc.respond.turn import Means, Outside, Result, Turn
from soc.respond.world import OutsideWorld
from soc.settings import Respond
from soc.store.columns import Moment
from soc.store.leases import LEASE_ENDS, LEASE_NOWS, lease_parameters
from soc.store.prepared import Prepared
from soc.store.session import Database, Transaction, reading, session, transaction
from soc.store.tables import Effect, PlaybookVersion, Run

_log = logging.getLogger(__name__)

CLAIMS = 5
"""Takeovers without progress before a run is handed to a person."""
WRITTEN = (
    "state", "reason", "wake_at", "lease_owner", "claims", "finished", "outputs_json",
)  # fmt: skip

_RUNS: Table = Run.__table__  # type: ignore[attr-defined]
_MINE = (_RUNS.c.id == bindparam("mine"), _RUNS.c.fence == bindparam("fence_"))


def _due(database: str) -> Select[tuple[int]]:
    """Return the oldest run that is due: new ones, those that waited long enough, lost ones."""
    due = or_(
        _RUNS.c.state == "queued",
        and_(_RUNS.c.state == "waiting", _RUNS.c.wake_at <= bindparam("now", type_=Moment)),
        and_(_RUNS.c.state == "running", _RUNS.c.lease_until <= LEASE_NOWS[database]),
    )
    return select(_RUNS.c.id).where(due).order_by(_RUNS.c.id).limit(1)


def _claiming(database: str) -> UpdateBase:
    """Return the statement that takes a run. Two workers never take one: rows are locked."""
    number = _due(database).with_for_update(skip_locked=True).scalar_subquery()
    return (
        update(_RUNS)
        .where(_RUNS.c.id == number)
        .values(
            state="running",
            wake_at=None,
            claims=case((_RUNS.c.state == "running", _RUNS.c.claims + 1), else_=0),
            started=func.coalesce(_RUNS.c.started, bindparam("now", type_=Moment)),
            lease_owner=bindparam("owner"),
            lease_until=LEASE_ENDS[database],
            fence=_RUNS.c.fence + 1,
        )
        .returning(_RUNS)
    )


# Statements are built once, by the kind of database: these are the most frequent ones.
LOOK = {name: _due(name) for name in LEASE_ENDS}
CLAIM = {name: _claiming(name) for name in LEASE_ENDS}
HOLD = {
    name: Prepared(update(_RUNS).where(*_MINE, _RUNS.c.state == "running").values(lease_until=end))
    for name, end in LEASE_ENDS.items()
}
SAVE = Prepared(
    update(_RUNS)
    .where(*_MINE)
    .values(
        {name: bindparam(f"new_{name}") for name in WRITTEN}
        | {"lease_until": case((bindparam("led", type_=Boolean), _RUNS.c.lease_until), else_=None)}
    )
)


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to write a run, until somebody else claims it. found: how it was when claimed."""

    run: int
    fence: int
    found: Mapping[str, Any]


class Engine:
    """One worker's hands; several threads may call it."""

    def __init__(
        self, database: Database, clock: Clock, policy: Respond, means: Means, owner: str
    ) -> None:
        self._database, self._clock, self._policy = database, clock, policy
        self._means, self._owner = means, owner
        self._dry = replace(means, hands=DryHands())
        self._known: dict[str, Steps] = {}
        self._crew = Crew()
        self._is_busy = False

    def work(self) -> bool:
        """Claim a run that is due and carry it as far as it goes; return whether there was one."""
        claim = self.claim()
        if claim is None:
            return False
        try:
            self.carry(claim)
        except Fenced:
            return True
        return True

    def claim(self) -> Claim | None:
        """Return the right to write a run that is due; count how often it was taken over."""
        if not self._is_busy and not self._has_due():
            return None
        with transaction(self._database) as claiming:
            claim = self._claim(claiming)
        self._is_busy = claim is not None
        return claim

    def carry(self, claim: Claim) -> None:
        """Carry a claimed run as far as it goes now; raises Fenced if somebody else has it."""
        flights, journal = Flights(self._world, self._crew), None
        results: list[tuple[str, Result]] = []
        while True:
            with self._held(claim) as held:
                if journal is None:
                    journal = Journal.read(held.connection, Run(**claim.found))
                turn = self._turn(held, journal, flights.paths())
                goes_on = self._advanced(turn, results)
                self._save(turn, claim, progressed=bool(results) or goes_on)
            flights.launch(turn.outside)
            if not flights and not goes_on:
                return
            patience = min([self._policy.lease / 3, *(due - turn.now for due in turn.wakes)])
            results = flights.landed(patience) if flights and not goes_on else []

    def end_due(self) -> int:
        """Queue the undo of every effect whose time is over; return how many."""
        with reading(self._database) as looking:
            now = self._clock.now()
            if not (ledger.is_due(looking, now) or approvals.of_closed(looking)):
                return 0
        with session(self._database) as writing:
            approvals.withdraw_closed(writing, self._clock.now())
            return ledger.end_due(writing, self._clock.now())

    def remind(self) -> None:
        """Tell approvers what waits for them: once each, also after a crash."""
        with reading(self._database) as looking:
            asked = approvals.pending(looking)
        for one in asked:
            to = tuple(orjson.loads(one.approvers_json))
            again = ":escalated" if one.escalated else ""
            title = f"Approval {one.id} waits until {rfc3339(one.expires)}"
            now, text = self._clock.now(), self._means.linked(one.ask, f"/approvals/{one.id}")
            try:
                self._means.notifier.send(f"approval:{one.id}{again}", to, title, text, now)
            except OSError as failed:
                _log.warning("approval %s cannot be told: %s", one.id, failed)

    def steps_of(self, looking: Session, run: Run) -> Steps | None:
        """Return what *run*, or the run that it undoes, was begun with, if it was with anything."""
        digest = run.digest
        if run.kind == "undo":
            origin = looking.get_one(Effect, run.effect).run
            digest = looking.get_one(Run, origin).digest if origin else None
        if digest is None:
            return None
        if digest not in self._known:
            pinned = looking.get(PlaybookVersion, digest)
            if pinned is None:
                raise Fenced(f"RUN-{run.id} without its playbook")
            actions = self._means.actions
            playbook = Playbook.model_validate_json(pinned.content_json, context=dict(actions))
            self._known[digest] = Steps(playbook, actions, self._policy, self._means.secret)
        return self._known[digest]

    def _origin(self, held: Transaction, run: Run) -> Steps | None:
        """Return what *steps_of* does, without a session for what is known already."""
        known = self._known.get(run.digest or "") if run.kind != "undo" else None
        return known or self.steps_of(held.session, run)

    def _has_due(self) -> bool:
        """Look without taking the lock of writers."""
        with reading(self._database) as looking:
            asking = looking.connection()
            found = asking.execute(LOOK[asking.dialect.name], {"now": self._clock.now()})
            return found.first() is not None

    def _claim(self, claiming: Transaction) -> Claim | None:
        now, asking = self._clock.now(), claiming.connection
        end = lease_parameters(asking, self._policy.lease, self._clock)
        given = {"now": now, "owner": self._owner, **end}
        claimed = asking.execute(CLAIM[asking.dialect.name], given).mappings().first()
        if claimed is None:
            return None
        if claimed["claims"] > CLAIMS:
            run = claiming.session.get_one(Run, claimed["id"])
            finish(claiming.session, run, "needs_human", f"{CLAIMS} workers died on it", now)
            return None
        return Claim(claimed["id"], claimed["fence"], {**claimed})

    def _advanced(self, turn: Turn, results: list[tuple[str, Result]]) -> bool:
        if turn.run.kind == "undo":
            for path, result in results:
                undoing.recorded(turn, path, result)
            return undoing.advance(turn)
        for path, result in results:
            flow.recorded(turn, path, result)
        return flow.advance(turn)

    def _turn(self, held: Transaction, journal: Journal, busy: frozenset[str]) -> Turn:
        return Turn(
            transaction=held,
            journal=journal,
            origin=self._origin(held, journal.run),
            means=self._dry if journal.run.mode == "dry_run" else self._means,
            now=self._clock.now(),
            busy=busy,
        )

    def _world(self, outside: Outside) -> World:
        means, now = self._means, self._clock.now()
        linked = partial(means.linked, page=outside.page)
        return OutsideWorld(outside.key, means.notifier, now, means.http, means.search, linked)

    @contextmanager
    def _held(self, claim: Claim) -> Iterator[Transaction]:
        """Give a transaction on the claimed run; raise Fenced if somebody else has it."""
        with transaction(self._database) as held:
            asking = held.connection
            end = lease_parameters(asking, self._policy.lease, self._clock)
            mine = {"mine": claim.run, "fence_": claim.fence}
            if HOLD[asking.dialect.name].run(asking, {**mine, **end}).rowcount != 1:
                raise Fenced(f"RUN-{claim.run}")
            yield held

    def _save(self, turn: Turn, claim: Claim, *, progressed: bool) -> None:
        run, asking = turn.run, turn.transaction.connection
        turn.journal.save(asking)
        if run.state == "running" and not (progressed and run.claims):
            return
        run.claims = 0 if progressed else run.claims
        values = {f"new_{name}": getattr(run, name) for name in WRITTEN}
        mine = {"mine": claim.run, "fence_": claim.fence}
        still_led = {"led": run.state == "running"}
        SAVE.run(asking, {**values, **mine, **still_led})
