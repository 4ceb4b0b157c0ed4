"""Four workers at once come to what one would have come to."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from typing import TypeVar

import pytest
from sqlmodel import Session, col, func, select

from soc import audit, plugins
from soc.access import accounts
from soc.clock import SettableClock
from soc.errors import Illegal, TooManyRequests
from soc.incidents import lifecycle
from soc.incidents.record import record
from soc.model.finding import Finding
from soc.respond import ledger, reconcile
from soc.respond.engine import Engine
from soc.respond.hands import LiveHands
from soc.respond.notifier import Outbox
from soc.respond.turn import Means
from soc.settings import Edges, Respond
from soc.store import sources, windows
from soc.store.session import Database, connect, session
from soc.store.tables import Alert, AuditRow, DetectorWindow, Edge, Effect, Incident, Run
from soc.triage import Incidents
from tests.servers.postgres import Postgres

Done = TypeVar("Done")
WORKERS = 4
EFFECTS = 24


@pytest.fixture
def workers(store_url: str) -> Iterator[list[Database]]:
    """Four processes' own ways to one store."""
    opened = [connect(store_url) for _ in range(WORKERS)]
    yield opened
    for one in opened:
        one.dispose()


def at_once(workers: list[Database], work: Callable[[Database], Done]) -> list[Done]:
    """Let all *workers* do *work* at the same moment; return what each came to."""
    start = Barrier(len(workers))

    def run(database: Database) -> Done:
        start.wait()
        return work(database)

    with ThreadPoolExecutor(len(workers)) as pool:
        return list(pool.map(run, workers))


@pytest.fixture
def due(database: Database, clock: SettableClock) -> None:
    """Effects whose time is over."""
    now = clock.now()
    with session(database) as writing:
        for n in range(EFFECTS):
            effect = Effect(
                id=f"EF-{n}", action="wallet.quarantine", subject=f"wallet:0x{n}", kind="quarantine",
                state="proposed", created=now, until=now,
            )  # fmt: skip
            ledger.enforce(writing, effect, now)


def test_every_effect_ends_once_whoever_ends_it(
    due: None, workers: list[Database], clock: SettableClock, tmp_path: Path
) -> None:
    actions = plugins.load("soc.actions")

    def work(database: Database) -> int:
        means = Means(
            actions=actions,
            notifier=Outbox(tmp_path / "outbox"),
            playbook=lambda _: None,
            hands=LiveHands(),
        )
        engine = Engine(database, clock, Respond(), means, f"{id(database)}")
        engine.end_due()
        done = 0
        while engine.work():
            done += 1
        return done

    done = at_once(workers, work)
    done += at_once(workers, work)  # what one worker left to another, which had looked before

    with Session(workers[0]) as looking:
        effects = looking.exec(select(Effect)).all()
        runs = looking.exec(select(Run)).all()
        ended = looking.exec(
            select(AuditRow.object).where(col(AuditRow.action) == "run.done")
        ).all()
    assert {effect.state for effect in effects} == {"lifted"}
    assert sorted(effect.version for effect in effects) == list(range(EFFECTS + 1, 2 * EFFECTS + 1))
    assert [run.fence for run in runs] == [1] * EFFECTS
    assert sum(done) == len(ended) == len(set(ended)) == EFFECTS


def test_every_act_gets_one_number(
    database: Database, workers: list[Database], clock: SettableClock
) -> None:
    with session(database) as writing:
        for n in range(40):
            at = clock.now() + timedelta(microseconds=n)
            audit.record(writing, audit.Act(at=at, actor="soc", action="a.b", object=f"c:{n}"))

    def number(one: Database) -> int:
        with session(one) as writing:
            return audit.number(writing)

    sizes = at_once(workers, number)

    with session(database) as looking:
        assert sorted(looking.exec(select(AuditRow.leaf)).all()) == list(range(40))
        assert audit.is_whole(looking)
    assert sizes == [40] * WORKERS


def test_findings_of_one_wallet_open_one_incident(
    workers: list[Database], clock: SettableClock, finding: Callable[..., Finding]
) -> None:
    def tell(one: Database) -> None:
        told = finding("wallet:0xbad", f"rule-{workers.index(one)}")
        for _ in range(5):
            with session(one) as writing:
                record(writing, [told], {}, clock.now(), Incidents())

    at_once(workers, tell)

    with Session(workers[0]) as looking:
        assert looking.exec(select(func.count()).select_from(Incident)).one() == 1
        alerts = lifecycle.alerts_of(looking, 1)
        assert [alert.count for alert in alerts] == [5] * WORKERS


@pytest.mark.server
def test_what_was_read_before_the_lock_is_read_again_behind_it(
    postgres: Postgres, migrated: str, clock: SettableClock, finding: Callable[..., Finding]
) -> None:
    def tell(writing: Session) -> None:
        record(writing, [finding()], {}, clock.now(), Incidents())

    with postgres.fresh(migrated) as url:
        one, other = connect(url), connect(url)
        with session(one) as writing:
            tell(writing)
        with session(one) as writing:
            read = (lifecycle.get(writing, 1), *lifecycle.alerts_of(writing, 1))
            with session(other) as faster:
                tell(faster)
                lifecycle.assign(faster, 1, "ines", "user:ines", clock.now())
            tell(writing)
            assert [type(row) for row in read] == [Incident, Alert]  # still held
        with session(other) as looking:
            assert [alert.count for alert in lifecycle.alerts_of(looking, 1)] == [3]
            assert lifecycle.get(looking, 1).owner == "ines"
        with session(one) as writing:
            read = (lifecycle.get(writing, 1), *lifecycle.alerts_of(writing, 1))
            with session(other) as faster:
                lifecycle.close(faster, 1, "test", "n", "user:ines", clock.now())
            tell(writing)
            assert [type(row) for row in read] == [Incident, Alert]
        with session(other) as looking:
            assert lifecycle.get(looking, 1).state == "closed"
            assert lifecycle.get(looking, 2).state == "new"
        one.dispose()
        other.dispose()


def test_one_of_those_who_close_an_incident_decides(
    database: Database,
    workers: list[Database],
    clock: SettableClock,
    finding: Callable[..., Finding],
) -> None:
    with session(database) as writing:
        record(writing, [finding()], {}, clock.now(), Incidents())

    def close(one: Database) -> str:
        person = f"user:p{workers.index(one)}"
        try:
            with session(one) as writing:
                lifecycle.close(writing, 1, "test", f"said {person}", person, clock.now())
        except Illegal:
            return ""
        return f"said {person}"

    (won,) = filter(None, at_once(workers, close))

    with Session(database) as looking:
        assert looking.get_one(Incident, 1).verdict_note == won


def test_passwords_tried_at_once_are_all_counted(
    database: Database, workers: list[Database], clock: SettableClock
) -> None:
    def guess(one: Database) -> Counter[str]:
        answers: Counter[str] = Counter()
        for _ in range(5):
            with session(one) as writing:
                answer = accounts.settle(writing, "ines", None, "192.0.2.7", clock.now())
            answers[type(answer).__name__] += 1
        return answers

    total = sum(at_once(workers, guess), Counter())

    assert total == {"AccessDenied": accounts.FAILURES, TooManyRequests.__name__: 10}


def test_what_is_new_to_all_of_them_is_written_once(
    workers: list[Database], clock: SettableClock
) -> None:
    def begin(one: Database) -> None:
        with session(one) as writing:
            windows.register(writing, ["a", "b"])
            edge = Edge(name="e", version=1, skew_ms=0, applied=0, failed=0, reported=clock.now())
            reconcile.heard(writing, edge, Edges())

    def keep(one: Database) -> None:
        with session(one) as writing:
            seen = sources.State("s", clock.now(), clock.now().date(), 1, 0)
            sources.keep(writing, [seen])

    at_once(workers, begin)
    at_once(workers, keep)

    with Session(workers[0]) as looking:
        assert looking.exec(select(func.count()).select_from(DetectorWindow)).one() == 2
        assert [one.name for one in sources.read(looking, 9)] == ["s"]


@pytest.mark.server
def test_processes_that_start_together_make_the_tables_once(postgres: Postgres) -> None:
    with postgres.fresh() as url, ThreadPoolExecutor(WORKERS) as pool:
        opened = list(pool.map(connect, [url] * WORKERS))

        with session(opened[0]) as writing:
            windows.register(writing, ["a"])
        with Session(opened[-1]) as looking:
            assert looking.exec(select(DetectorWindow.detector)).all() == ["a"]
        for one in opened:
            one.dispose()
