"""Run the tests beside playbooks: the real engine, on an empty store, with a clock that jumps."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal

import orjson
from pydantic import Field
from sqlmodel import Session, col, select

from soc.access.permissions import Permission, Principal, Role
from soc.clock import SettableClock
from soc.content.kinds import load
from soc.errors import ContentError
from soc.model.value import Slug, Value
from soc.respond import approvals
from soc.respond.action import Action
from soc.respond.engine import Engine
from soc.respond.playbook import Playbook, read
from soc.respond.trigger import pin
from soc.settings import Mode, Respond
from soc.store.session import Database, connect, session
from soc.store.tables import Approval, Effect, Incident, Run, Step

START = datetime(2026, 1, 1, tzinfo=UTC)
ROUNDS = 500
SUFFIX = ".test.yml"


class Expected(Value):
    """How the run must end. calls: the actions that were done, in order, a number each."""

    state: Literal["done", "failed", "cancelled", "needs_human"]
    calls: Mapping[str, int] = {}
    never: tuple[str, ...] = ()
    in_force: Mapping[str, int] = {}


class Case(Value):
    """One rehearsal. fail: how often an action is made to fail before it works."""

    name: str
    incident: Mapping[str, Any]
    approvals: Mapping[str, Literal["approve", "reject", "expire"]] = {}
    fail: Mapping[str, int] = {}
    expect: Expected


class Cases(Value):
    """The file beside a playbook."""

    layout: Annotated[Literal["commonwatch.playbook-test/1"], Field(alias="schema")]
    playbook: Slug
    tests: Annotated[tuple[Case, ...], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one test. problem: empty if it ended as it says."""

    playbook: str
    test: str
    path: Path
    problem: str


@dataclass
class _Notifier:
    """Takes messages, after failing as often as it is told to."""

    failures: int
    sent: list[str] = field(default_factory=list)

    def send(self, key: str, to: Sequence[str], title: str, text: str, now: datetime) -> None:
        _ = (to, title, text, now)
        if self.failures:
            self.failures -= 1
            raise OSError("made to fail by the test")
        self.sent.append(key)


def run(path: Path, actions: Mapping[str, type[Action]]) -> Iterator[Result]:
    """Yield what becomes of each test in *path*, of the playbook beside it."""
    beside = path.with_name(path.name.removesuffix(SUFFIX) + ".yml")
    try:
        cases, playbook = load(path, Cases), read(beside, actions)
    except ContentError as wrong:
        yield from (Result(beside.stem, "", p.path, str(p)) for p in wrong.problems)
        return
    for case in cases.tests:
        yield Result(playbook.name, case.name, path, _rehearse(playbook, case, actions))


def _rehearse(playbook: Playbook, case: Case, actions: Mapping[str, type[Action]]) -> str:
    with TemporaryDirectory() as folder:
        database = connect(f"sqlite:///{folder}/store.db")
        try:
            clock = SettableClock(START)
            number = _prepare(database, playbook, case)
            policy = Respond(mode=Mode.CONTAIN, budget=1_000)
            notifier = _Notifier(case.fail.get("notify.send", 0))
            engine = Engine(database, clock, policy, actions, notifier, "rehearsal")
            _play(database, engine, clock, case)
            with session(database) as looking:
                return _difference(looking, number, case.expect)
        finally:
            database.dispose()


def _prepare(database: Database, playbook: Playbook, case: Case) -> int:
    given: dict[str, Any] = {
        "id": "INC-1",
        "title": case.name,
        "severity": "high",
        "rules": [],
        "alerts": [],
        "round": None,
    }
    inputs = {**given, "wallets": [], "accounts": [], "ips": [], **case.incident}
    with session(database) as writing:
        incident = Incident(
            title=case.name, severity="high", state="new", first=START, created=START, changed=START
        )
        writing.add(incident)
        writing.flush()
        run = Run(
            dedup="rehearsal",
            kind="playbook",
            playbook=playbook.name,
            digest=pin(writing, playbook, START),
            incident=incident.id,
            inputs_json=orjson.dumps(inputs).decode(),
            state="queued",
            requested_by="soc",
            created=START,
        )
        writing.add(run)
        writing.flush()
        return run.id or 0


def _play(database: Database, engine: Engine, clock: SettableClock, case: Case) -> None:
    """Let the engine work, answer as scripted, and jump to when something is due."""
    for _ in range(ROUNDS):
        if engine.work():
            continue
        with session(database) as writing:
            if not _answer(writing, clock, case):
                return


def _answer(writing: Session, clock: SettableClock, case: Case) -> bool:
    """Answer one open question, or jump to the next moment a run waits for; False if none does."""
    for asked in writing.exec(select(Approval).where(col(Approval.state) == "pending")):
        script = case.approvals.get(asked.path, "expire")
        if script == "expire" or asked.id is None:
            continue
        person = Principal(
            name="user:tester",
            person="tester",
            permissions=frozenset({Permission.APPROVE}),
            roles=frozenset(Role),
        )
        approvals.decide(
            writing,
            asked.id,
            person,
            approve=script == "approve",
            digest=asked.digest,
            reason="as scripted",
            now=clock.now(),
        )
        return True
    waiting = writing.exec(
        select(Run.wake_at).where(col(Run.state) == "waiting").order_by(col(Run.wake_at))
    ).first()
    if waiting is None:
        return False
    clock.moment = max(clock.moment, waiting) + timedelta(microseconds=1)
    return True


def _difference(looking: Session, number: int, expect: Expected) -> str:
    """Return how the run ended otherwise than expected, or nothing."""
    run = looking.get_one(Run, number)
    done: dict[str, int] = {}
    for step in looking.exec(
        select(Step).where(col(Step.run) == number, col(Step.state) == "done")
    ):
        if step.use and "[" in step.path:
            done[step.use] = done.get(step.use, 0) + 1
    forced: dict[str, int] = {}
    for effect in looking.exec(select(Effect).where(col(Effect.state) == "active")):
        forced[effect.kind] = forced.get(effect.kind, 0) + 1
    wrong = []
    if run.state != expect.state:
        wrong.append(f"ended {run.state} ({run.reason}), expected {expect.state}")
    if done != dict(expect.calls):
        wrong.append(f"did {done}, expected {dict(expect.calls)}")
    if forced != dict(expect.in_force):
        wrong.append(f"left {forced} in force, expected {dict(expect.in_force)}")
    wrong += [f"did {name}, which it never must" for name in expect.never if name in done]
    return "; ".join(wrong)
