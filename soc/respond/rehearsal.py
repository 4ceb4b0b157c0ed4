"""Run the tests beside playbooks: the real engine, a store in memory, a clock that jumps."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
from pydantic import Field
from sqlmodel import Session, col, select

from soc.access.permissions import Permission, Principal, Role
from soc.clock import SettableClock
from soc.content.kinds import load
from soc.errors import ActionFailed, ContentError, Illegal
from soc.model.value import Slug, Value
from soc.respond import approvals
from soc.respond.action import Action, Repeat
from soc.respond.coverage import Coverage
from soc.respond.engine import Engine
from soc.respond.hands import LiveHands
from soc.respond.playbook import Playbook, read
from soc.respond.step import Step
from soc.respond.turn import Means, Turn
from soc.respond.versions import Wanted, queue
from soc.settings import Mode, Respond
from soc.store.session import Database, in_memory, reading, session
from soc.store.tables import Approval, Effect, Incident, Run
from soc.store.tables import Step as Row

START = datetime(2026, 1, 1, tzinfo=UTC)
ROUNDS = 20_000
"""A parent looks at its child every five minutes: enough for a child that waits a month."""
SUFFIX = ".test.yml"
GIVEN: Mapping[str, Any] = {
    "id": "INC-1", "severity": "high", "rules": [], "alerts": [], "round": None,
    "wallets": [], "accounts": [], "ips": [],
}  # fmt: skip
Find = Callable[[str], Playbook | None]


class Expected(Value):
    """How the run must end.

    calls: the actions that were done, a number each; or all that were tried, in their order, with
    ``undo:`` before what was taken back. never: what must not be done. in_force: effects by kind.
    """

    state: Literal["done", "failed", "cancelled", "needs_human"]
    calls: Mapping[str, int] | tuple[str, ...] = {}
    never: tuple[str, ...] = ()
    in_force: Mapping[str, int] | None = None
    outputs: Mapping[str, Any] | None = None


class Case(Value):
    """One rehearsal.

    mocks: by action, what it gives: one value, or one for each time, ``{fail: NAME}`` among them.
    fail: how often an action is made to fail before it works.
    """

    name: str
    incident: Mapping[str, Any] | None = None
    inputs: Mapping[str, Any] = {}
    approvals: Mapping[str, Literal["approve", "reject", "expire"]] = {}
    mocks: Mapping[str, Any] = {}
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
class MockHands(LiveHands):
    """Do what a test says instead of reaching outside; what is local is really done."""

    case: Case
    tried: list[str] = field(default_factory=list)
    _times: dict[str, int] = field(default_factory=dict)

    def is_inline(self, action: Action) -> bool:
        """Return True: a rehearsal reaches nothing outside."""
        return action is not None

    def perform(self, turn: Turn, step: Step, path: str, action: Action) -> Mapping[str, object]:
        """Give what the test says; raise ActionFailed where it says so."""
        self.tried.append(action.name)
        time = self._times[action.name] = self._times.get(action.name, 0) + 1
        if time <= self.case.fail.get(action.name, 0):
            raise ActionFailed("error", "made to fail by the test")
        mock = self._mock(action.name, time)
        if isinstance(mock, Mapping) and set(mock) == {"fail"}:
            raise ActionFailed(str(mock["fail"]), "made to fail by the test")
        if action.repeat is Repeat.LOCAL:
            done = super().perform(turn, step, path, action)
            return done if mock is None else mock
        return action.outcome() if mock is None else mock

    def _mock(self, name: str, time: int) -> Any:  # noqa: ANN401 - any JSON value
        given = self.case.mocks.get(name)
        if not isinstance(given, Sequence) or isinstance(given, str):
            return given
        if time > len(given):
            raise Illegal(f"mocks: {name} is done more often than the test has values")
        return given[time - 1]


class _Nobody:
    """Takes no messages: in a rehearsal nothing is handed over."""

    def send(self, key: str, to: Sequence[str], title: str, text: str, now: datetime) -> None:
        _ = (key, to, title, text, now)


def run(
    path: Path, actions: Mapping[str, type[Action]], find: Find | None = None
) -> tuple[list[Result], Coverage | None]:
    """Return what becomes of each test in *path*, and what of the playbook they reach.

    find: gives the playbooks that it runs; by default those in the same folder.
    """
    beside = path.with_name(path.name.removesuffix(SUFFIX) + ".yml")
    try:
        cases, playbook = load(path, Cases), read(beside, actions)
    except ContentError as wrong:
        return [Result(beside.stem, "", p.path, str(p)) for p in wrong.problems], None
    coverage = Coverage(playbook)
    finder = find or _beside(path.parent, actions)
    results = [
        Result(playbook.name, case.name, path, _rehearse(playbook, case, actions, finder, coverage))
        for case in cases.tests
    ]
    return results, coverage


def _beside(folder: Path, actions: Mapping[str, type[Action]]) -> Find:
    def find(name: str) -> Playbook | None:
        file = folder / f"{name}.yml"
        return read(file, actions) if file.is_file() else None

    return find


def _rehearse(
    playbook: Playbook,
    case: Case,
    actions: Mapping[str, type[Action]],
    find: Find,
    coverage: Coverage,
) -> str:
    database, clock, hands = in_memory(), SettableClock(START), MockHands(case)
    try:
        number = _queued(database, playbook, case)
        policy = Respond(mode=Mode.CONTAIN, budget=1_000)
        means = Means(actions=actions, notifier=_Nobody(), playbook=find, hands=hands)
        _play(database, Engine(database, clock, policy, means, "rehearsal"), clock, case)
        with reading(database) as looking:
            coverage.add(looking, number)
            return _difference(looking, number, case.expect, hands)
    except Illegal as refused:
        return str(refused)
    finally:
        database.dispose()


def _queued(database: Database, playbook: Playbook, case: Case) -> int:
    with session(database) as writing:
        incident = Incident(
            title=case.name, severity="high", state="new", first=START, created=START, changed=START
        )
        writing.add(incident)
        writing.flush()
        by_clock = playbook.on.schedule is not None
        offered = None if by_clock else {**GIVEN, "title": case.name, **(case.incident or {})}
        wanted = Wanted(
            dedup="rehearsal",
            incident=None if by_clock else incident.id,
            offered=offered,
            given=case.inputs,
            requested_by="soc",
        )
        return queue(writing, playbook, wanted, START)


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
        given = len(approvals.votes_on(writing, asked.id))
        approvals.decide(
            writing,
            asked.id,
            _person(f"tester{given + 1}"),
            approve=script == "approve",
            digest=asked.digest,
            reason="as scripted",
            now=clock.now(),
        )
        return True
    waiting = select(Run.wake_at).where(col(Run.state) == "waiting").order_by(col(Run.wake_at))
    due = writing.exec(waiting).first()
    if due is None:
        return False
    clock.moment = max(clock.moment, due) + timedelta(microseconds=1)
    return True


def _person(name: str) -> Principal:
    return Principal(
        name=f"user:{name}",
        person=name,
        permissions=frozenset({Permission.APPROVE}),
        roles=frozenset(Role),
    )


def _difference(looking: Session, number: int, expect: Expected, hands: MockHands) -> str:
    """Return how the run ended otherwise than expected, or nothing."""
    run = looking.get_one(Run, number)
    wrong = []
    if run.state != expect.state:
        wrong.append(f"ended {run.state} ({run.reason}), expected {expect.state}")
    done = _done(looking)
    found: object = done
    if isinstance(expect.calls, tuple):
        found = (*hands.tried, *_undone(looking))
    if found != expect.calls:
        wrong.append(f"did {found}, expected {expect.calls}")
    forced: dict[str, int] = {}
    for effect in looking.exec(select(Effect).where(col(Effect.state) == "active")):
        forced[effect.kind] = forced.get(effect.kind, 0) + 1
    if expect.in_force is None and isinstance(expect.calls, tuple):
        forced = {}
    if forced != dict(expect.in_force or {}):
        wrong.append(f"left {forced} in force, expected {dict(expect.in_force or {})}")
    outputs = orjson.loads(run.outputs_json or "null")
    if expect.outputs is not None and outputs != expect.outputs:
        wrong.append(f"gave {outputs}, expected {dict(expect.outputs)}")
    wrong += [f"did {name}, which it never must" for name in expect.never if name in hands.tried]
    return "; ".join(wrong)


def _done(looking: Session) -> dict[str, int]:
    done: dict[str, int] = {}
    rows = looking.exec(
        select(Row).join(Run, col(Run.id) == col(Row.run)).where(col(Run.kind) == "playbook")
    )
    for row in rows:
        is_whole = "items" in orjson.loads(row.input_json)
        if row.use and row.state == "done" and not is_whole:
            done[row.use] = done.get(row.use, 0) + 1
    return done


def _undone(looking: Session) -> list[str]:
    """Return what was taken back, in the order in which it was."""
    query = select(Effect).where(col(Effect.lifted).is_not(None)).order_by(col(Effect.version))
    return [f"undo:{effect.action}" for effect in looking.exec(query)]
