"""What packaged playbooks do beyond what the tests beside them can say."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from soc import plugins
from soc.access.permissions import Permission, Principal, Role
from soc.clock import SettableClock
from soc.content.folders import packaged
from soc.errors import AccessDenied
from soc.respond import approvals
from soc.respond.engine import Engine
from soc.respond.hands import LiveHands
from soc.respond.playbook import Playbook, read
from soc.respond.start import start
from soc.respond.turn import Means
from soc.settings import Respond
from soc.store.session import Database, in_memory, reading, session
from soc.store.tables import Approval, Effect, Run

ACTIONS: dict[str, Any] = plugins.load("soc.actions")


START = datetime(2026, 11, 26, tzinfo=UTC)


class Silent:
    """Takes messages and hands none over."""

    def send(self, *message: object) -> None:
        assert message


def person(name: str, role: Role, permission: Permission) -> Principal:
    return Principal(
        name=f"user:{name}",
        person=name,
        permissions=frozenset({permission}),
        roles=frozenset({role}),
    )


def playbook(name: str) -> Playbook:
    return read(packaged("playbooks") / f"{name}.yml", ACTIONS)


def engine(database: Database, clock: SettableClock) -> Engine:
    means = Means(actions=ACTIONS, notifier=Silent(), playbook=playbook, hands=LiveHands())
    return Engine(database, clock, Respond(), means, "a worker")


def work(one: Engine) -> None:
    while one.end_due() or one.work():
        pass


def vote(database: Database, clock: SettableClock, name: str, *, approve: bool = True) -> None:
    who = person(name, Role.APPROVER, Permission.APPROVE)
    with session(database) as writing:
        asked = writing.exec(select(Approval).where(Approval.state == "pending")).one()
        approvals.decide(
            writing, asked.id or 0, who, approve=approve, digest=asked.digest,
            reason="looked at it", now=clock.now(),
        )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kind", "lasts", "votes"),
    [("qf-appeal-upheld", "allow", 30, ["rhea"]), ("qf-hold-by-hand", "quarantine", 7, ["rhea", "sue"]), ("qf-leave-out-of-matching", "weight", 45, ["rhea", "sue"])],
)  # fmt: skip
def test_what_a_person_starts_without_an_incident_needs_others_and_ends_by_itself(
    name: str, kind: str, lasts: int, votes: list[str]
) -> None:
    database, clock = in_memory(), SettableClock(START)
    one = engine(database, clock)
    ines = person("ines", Role.RESPONDER, Permission.RESPOND)
    given = {"wallets": ["0xa", "0xb"], "why": "seen by a hunt"}
    with session(database) as writing:
        start(writing, playbook(name), None, given, ines, clock.now())
    work(one)

    with pytest.raises(AccessDenied, match="somebody else"):
        vote(database, clock, "ines")
    for voter in votes:
        vote(database, clock, voter)
    work(one)
    with reading(database) as looking:
        effects = looking.exec(select(Effect)).all()
        assert {(e.kind, e.state) for e in effects} == {(kind, "active")}
        assert len(effects) == len(given["wallets"])
        assert {run.state for run in looking.exec(select(Run))} == {"done"}
    clock.moment += timedelta(days=lasts)
    work(one)

    with reading(database) as looking:
        assert {effect.state for effect in looking.exec(select(Effect))} == {"lifted"}
    database.dispose()


def test_who_only_looks_starts_nothing_by_hand() -> None:
    database, clock = in_memory(), SettableClock(START)
    ana = person("ana", Role.ANALYST, Permission.RESPOND)
    given = {"wallets": ["0xa"], "why": "seen by a hunt"}

    with session(database) as writing, pytest.raises(AccessDenied, match="started by hand by"):
        start(writing, playbook("qf-hold-by-hand"), None, given, ana, clock.now())
    database.dispose()


@pytest.mark.parametrize("path", sorted(packaged("playbooks").glob("*.test.yml")))
def test_every_test_file_has_its_playbook(path: Path) -> None:
    assert path.with_name(path.name.replace(".test.yml", ".yml")).is_file()
