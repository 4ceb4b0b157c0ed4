"""Playbooks for tests, written short, and an engine to run them."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
from sqlmodel import Session, col, select, update

from soc import plugins
from soc.access.permissions import Permission, Principal, Role
from soc.clock import SettableClock
from soc.model.value import EPOCH
from soc.respond import approvals
from soc.respond.engine import Engine
from soc.respond.hands import LiveHands
from soc.respond.notifier import Outbox
from soc.respond.playbook import Playbook
from soc.respond.turn import Means
from soc.respond.versions import Wanted, queue
from soc.settings import Mode, Respond
from soc.store.session import Database, session
from soc.store.tables import Approval, Effect, Run, Step
from tests.respond.acts import OWN, lines

ACTIONS = {**plugins.load("soc.actions"), **OWN}
HEAD: Mapping[str, Any] = {
    "schema": "commonwatch.playbook/1", "playbook": "test", "version": 1, "title": "t",
    "description": "d", "owner": "role:security", "status": "test", "created": "2026-11-26",
    "reviewed": "2026-11-26", "references": [], "on": {"manual": ["role:responder"]},
}  # fmt: skip


def playbook(steps: list[dict[str, Any]], **more: Any) -> Playbook:
    """Return a playbook of *steps*."""
    whole = {**HEAD, **more, "steps": steps}
    return Playbook.model_validate_json(json.dumps(whole), context=ACTIONS)


def person(name: str, *roles: Role, permissions: frozenset[Permission] | None = None) -> Principal:
    """Return a person of *roles*, by default an approver who may respond."""
    given = permissions or frozenset({Permission.APPROVE, Permission.RESPOND})
    return Principal(
        name=f"user:{name}",
        person=name,
        permissions=given,
        roles=frozenset(roles or {Role.APPROVER}),
    )


@dataclass
class Stage:
    """A store, a clock that jumps, and an engine."""

    database: Database
    clock: SettableClock
    folder: Path
    policy: Respond = field(default_factory=lambda: Respond(mode=Mode.FULL))
    known: dict[str, Playbook] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        """Where actions leave their lines."""
        return self.folder / "lines.txt"

    def left(self) -> list[str]:
        """Return what actions left, in order."""
        return lines(self.file)

    def fail(self, **times: int) -> None:
        """Let actions fail before they work, by their word."""
        self.file.with_suffix(".fail").write_text(json.dumps(times))

    def engine(self, notifier: Any = None, **more: Any) -> Engine:
        """Return one more worker."""
        means = Means(
            actions=ACTIONS,
            notifier=notifier or Outbox(self.folder / "outbox"),
            playbook=self.known.get,
            hands=more.pop("hands", LiveHands()),
            **more,
        )
        return Engine(self.database, self.clock, self.policy, means, "worker")

    def queue(self, book: Playbook, given: Mapping[str, Any] | None = None, **more: Any) -> int:
        """Queue a run of *book*."""
        self.known[book.name] = book
        offered = {"id": "INC-1", "title": "t", "severity": "high", "wallets": [], "accounts": []}
        wanted = Wanted(
            dedup=more.pop("dedup", f"{book.name}:{len(self.runs())}"),
            incident=more.pop("number", None),
            offered={**offered, **more.pop("incident", {})},
            given=given or {},
            requested_by=more.pop("requested_by", "soc"),
            **more,
        )
        with session(self.database) as writing:
            return queue(writing, book, wanted, self.clock.now())

    def work(self) -> None:
        """Let a worker do all that is due."""
        engine = self.engine()
        while engine.work():
            pass

    def play(self, days: int = 1) -> None:
        """Work, and jump to whatever is due next, for *days*."""
        end = self.clock.now() + timedelta(days=days)
        while True:
            self.work()
            wakes = [run.wake_at for run in self.runs() if run.state == "waiting" and run.wake_at]
            if not wakes or min(wakes) > end:
                return
            self.clock.moment = max(self.clock.now(), min(wakes))

    def run(self, steps: list[dict[str, Any]], **more: Any) -> Run:
        """Run a playbook of *steps* to its end, and return the run."""
        number = self.queue(playbook(steps, **more.pop("head", {})), **more)
        self.play()
        return self.of(number)

    def of(self, number: int) -> Run:
        """Return a run."""
        with Session(self.database) as reading:
            return reading.get_one(Run, number)

    def runs(self) -> list[Run]:
        """Return all runs."""
        with Session(self.database) as reading:
            return list(reading.exec(select(Run).order_by(col(Run.id))))

    def states(self, number: int = 1) -> dict[str, str]:
        """Return the state of each entry of a run's journal."""
        with Session(self.database) as reading:
            found = select(Step).where(col(Step.run) == number).order_by(col(Step.order))
            return {row.path: row.state for row in reading.exec(found)}

    def output(self, path: str, number: int = 1) -> Any:
        """Return the output of an entry."""
        with Session(self.database) as reading:
            return orjson.loads(reading.get_one(Step, (number, path)).output_json or "null")

    def effects(self) -> dict[str, str]:
        """Return the state of each effect."""
        with Session(self.database) as reading:
            return {e.id: e.state for e in reading.exec(select(Effect).order_by(col(Effect.id)))}

    def answer(self, *names: str, approve: bool = True) -> None:
        """Let people answer the one open question."""
        for name in names:
            with session(self.database) as writing:
                (asked,) = writing.exec(select(Approval).where(col(Approval.state) == "pending"))
                assert asked.id
                approvals.decide(
                    writing, asked.id, person(name, *Role), approve=approve, digest=asked.digest,
                    reason="r", now=self.clock.now(),
                )  # fmt: skip

    def overdue(self) -> None:
        """Let every lease be over: the store's own clock is not to be moved."""
        with session(self.database) as writing:
            writing.connection().execute(update(Run).values(lease_until=EPOCH))


Make = Callable[..., Stage]


def touch(id_: str, stage: Stage, **more: Any) -> dict[str, Any]:
    """Return a step that leaves a line with its id."""
    return {"id": id_, "use": "test.touch", "with": {"file": str(stage.file), "word": id_}, **more}


def limit(id_: str, wallet: str = "0xa", **more: Any) -> dict[str, Any]:
    """Return a step that limits a wallet for a day."""
    given = {"wallet": wallet, "rate": 1, "burst": 1}
    return {"id": id_, "use": "wallet.rate_limit", "with": given, "ttl": "24h", **more}
