"""A storm of findings is few alerts, few incidents, few messages and a digest: from end to end."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlmodel import Session, col, func, select

from soc.app.suite import Suite
from soc.clock import SettableClock
from soc.incidents.record import record
from soc.model.finding import Finding
from soc.model.value import Severity
from soc.store.session import Database, session
from soc.store.tables import Alert, Approval, Incident, Run
from soc.triage import Incidents
from tests.servers.receiver import Receiver, receiving

Make = Callable[..., Finding]
RULE = "qf-indexer-lag"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def suite(home: Path, clock: SettableClock, receiver: Receiver) -> Iterator[Suite]:
    """A site that is reached by one channel."""
    chat = f"json://127.0.0.1:{receiver.port}/chat"
    (home / "settings.yml").write_text(
        f"contacts:\n  channels: {{platform: '{chat}', security: 'channel:platform'}}\n"
        "  roles: {admin: [channel:platform], approver: [channel:platform], security: [channel:platform]}\n"
    )
    made = Suite(home, clock)
    yield made
    made.database.dispose()


def put(suite: Suite, found: list[Finding]) -> None:
    """Record findings as a window does, and let what follows be queued."""
    now, follow = suite.clock.now(), suite.follow()
    with session(suite.database) as writing:
        follow(writing, record(writing, found, {}, now, suite.settings.incidents), now)


def test_a_thousand_different_findings_are_a_queue_one_can_work_and_few_messages(
    suite: Suite, clock: SettableClock, receiver: Receiver, finding: Make
) -> None:
    found = [
        finding(f"wallet:0x{n:04x}", RULE, title=f"Wallet {n} gave much") for n in range(1_000)
    ]
    for begin in range(0, 1_000, 100):
        put(suite, found[begin : begin + 100])
        clock.moment += timedelta(seconds=5)
    engine = suite.engine()
    while engine.work():
        pass
    clock.moment += suite.settings.contacts.digest_after
    suite.messenger.tell_held(clock.now())

    with Session(suite.database) as reading:
        alerts = reading.exec(select(func.count()).select_from(Alert)).one()
        incidents = reading.exec(select(Incident).order_by(col(Incident.id))).all()
        runs = reading.exec(select(Run)).all()
        asked = reading.exec(select(Approval)).all()
        joined = reading.exec(select(Alert.joined_by).where(col(Alert.incident) == 26)).all()
    assert alerts == 1_000
    assert len(incidents) == 26
    assert incidents[-1].title == f"Storm: {RULE} finds more than can be shown one by one"
    assert set(joined) == {f"storm: {RULE} opened 25 incidents within 10m"}
    assert len(joined) == 975
    assert {run.state for run in runs} == {"done"}
    assert len(runs) <= 25 + 10
    assert asked == []
    copies = [json.loads(path.read_text())["title"] for path in suite.home.outbox.glob("*.json")]
    assert len(copies) == len(runs)
    told = [json.loads(one.body)["title"] for one in receiver.taken]
    digests = [title for title in told if "were held back" in title]
    assert len(told) - len(digests) <= suite.settings.contacts.per_hour
    assert digests == [f"{len(copies) - 30} messages were held back, to send no more than agreed"]


def look(database: Database) -> list[tuple[str, int]]:
    with Session(database) as reading:
        counted = select(Incident.title, func.count(Alert.id)).join(
            Alert, col(Alert.incident) == col(Incident.id)
        )
        grouped = counted.group_by(col(Incident.id)).order_by(col(Incident.id))
        return [(title.partition(" ")[0], count) for title, count in reading.exec(grouped)]


def test_after_a_storm_incidents_open_one_by_one_again(
    database: Database, clock: SettableClock, finding: Make
) -> None:
    settings = Incidents(storm_after=2, storm_within=timedelta(minutes=10))

    def hit(entity: str, rule: str = "r") -> None:
        about = finding(entity, rule, at=clock.now(), title=f"{entity} did")
        with session(database) as writing:
            record(writing, [about], {}, clock.now(), settings)

    for n in range(5):
        hit(f"wallet:0x{n}")
    hit("wallet:0xa", "another")
    hit("wallet:0x4", "another")
    assert look(database) == [
        ("wallet:0x0", 1), ("wallet:0x1", 1), ("Storm:", 3), ("wallet:0xa", 1), ("wallet:0x4", 1)
    ]  # fmt: skip

    clock.moment += timedelta(minutes=9)
    hit("wallet:0x9")
    clock.moment += timedelta(minutes=10)
    hit("wallet:0xb")
    assert look(database)[2] == ("Storm:", 4)
    assert look(database)[-1] == ("wallet:0xb", 1)


def test_ten_thousand_equal_findings_at_once_are_one_alert_with_all_that_they_say(
    database: Database, clock: SettableClock, finding: Make
) -> None:
    minute = timedelta(minutes=1)
    found = [
        finding(first=clock.now() - n * minute / 1_000, last=clock.now(), severity=Severity.HIGH)
        for n in range(10_000)
    ]

    with session(database) as writing:
        statements = []
        event.listen(
            writing.get_bind(), "before_cursor_execute", lambda *a: statements.append(a[2])
        )
        record(writing, found, {}, clock.now(), Incidents())

    with Session(database) as reading:
        alert = reading.exec(select(Alert)).one()
    assert (alert.count, alert.first) == (10_000, clock.now() - 9_999 * minute / 1_000)
    assert len(statements) < 30
