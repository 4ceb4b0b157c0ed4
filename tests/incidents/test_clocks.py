"""Incidents are due by what was promised, rest while they are on hold, and a breach is told once."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import Session, col, select

from soc.app.breaches import Breaches
from soc.app.suite import Suite
from soc.clock import SettableClock
from soc.incidents import clocks, lifecycle
from soc.incidents.clocks import Clock, ClockState
from soc.incidents.lifecycle import IncidentState
from soc.incidents.record import record
from soc.model.finding import Finding
from soc.model.value import Severity
from soc.store.session import Database, reading, session
from soc.store.tables import Alert, ClockBreach, Incident, IncidentPause, Run
from soc.triage import Incidents, Promise
from tests.conftest import NOON
from tests.stores import blank

Make = Callable[..., Finding]
HOUR = timedelta(hours=1)


@pytest.fixture
def suite(home: Path, clock: SettableClock) -> Iterator[Suite]:
    made = Suite(home, clock)
    yield made
    made.database.dispose()


def open_one(database: Database, now: datetime, found: Finding) -> None:
    with session(database) as writing:
        record(writing, [found], {}, now, Incidents())


def shown(database: Database, now: datetime, number: int = 1) -> dict[str, tuple[str, str | None]]:
    with reading(database) as looking:
        readings = clocks.of(looking, [number], Incidents(), now)[number]
    return {one.clock: (one.state, f"{one.due:%H:%M}" if one.due else None) for one in readings}


def move(database: Database, state: IncidentState, now: datetime, number: int = 1) -> None:
    with session(database) as writing:
        lifecycle.move(writing, number, state, "user:ines", now)


def test_clocks_run_stand_still_and_end(
    database: Database, clock: SettableClock, finding: Make
) -> None:
    open_one(database, clock.now(), finding())
    assert shown(database, clock.now()) == {
        "acknowledge": ("running", "13:00"),
        "resolve": ("running", "12:00"),
    }

    clock.moment += HOUR / 2
    move(database, IncidentState.ON_HOLD, clock.now())
    clock.moment += 3 * HOUR
    assert shown(database, clock.now()) == {
        "acknowledge": ("met", "13:00"),
        "resolve": ("paused", None),
    }
    move(database, IncidentState.IN_PROGRESS, clock.now())
    assert shown(database, clock.now())["resolve"] == ("running", "15:00")
    clock.moment += 24 * HOUR
    assert shown(database, clock.now())["resolve"] == ("breached", "15:00")
    move(database, IncidentState.RESOLVED, clock.now())
    assert shown(database, clock.now())["resolve"] == ("missed", "15:00")
    clock.moment += 9 * HOUR
    with session(database) as writing:
        lifecycle.reopen(writing, 1, "it goes on", "user:ines", clock.now())
    assert shown(database, clock.now())["resolve"] == ("breached", "15:00")


@pytest.mark.parametrize(
    ("about", "clocked"),
    [
        ({}, True),
        ({"monitor": True}, False),
        ({"rule": "soc-source-silent"}, False),
        ({"severity": Severity.INFORMATIONAL}, False),
    ],
)
def test_what_has_clocks(
    database: Database, clock: SettableClock, finding: Make, about: dict[str, object], clocked: bool
) -> None:
    with session(database) as writing:
        every = Incidents(open_from=Severity.INFORMATIONAL)
        record(writing, [finding(**about)], {}, clock.now(), every)

    assert bool(shown(database, clock.now())) is clocked


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["on_hold", "in_progress", "resolved", "reopen", "close"]),
        st.integers(1, 2_000),
    ),
    max_size=6,
)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.sampled_from(list(Severity)[1:]), STEPS), min_size=1, max_size=4),
    st.integers(0, 9_000),
    st.integers(0, 60),
)
def test_what_the_store_is_asked_is_what_the_clocks_show(
    cases: list[tuple[Severity, list[tuple[str, int]]]], later: int, within: int
) -> None:
    """The condition that the queue and the worker ask finds the same incidents as each one's own."""
    minute, policy, database = timedelta(minutes=1), Incidents(open_from=Severity.LOW), blank()
    now = NOON
    with session(database) as writing:
        for number, (severity, steps) in enumerate(cases, 1):
            writing.add(
                Incident(
                    title="t", severity=severity, state="new", first=now, created=now, changed=now
                )
            )
            writing.flush()
            at = now
            for step, gap in steps:
                at += gap * minute
                _try(writing, number, step, at)
        moment = now + later * minute
        by = moment + within * minute
        late = clocks.not_yet_due(writing, policy, by, moment)
        asked = set(writing.exec(select(Incident.id).where(clocks.due_by(policy, by)))) - set(late)
        each = clocks.of(writing, list(range(1, len(cases) + 1)), policy, moment)

    told = {
        number
        for number, readings in each.items()
        if any(clocks.is_open(one) and one.due and one.due <= by for one in readings)
    }
    worked = {n for n in told if _state(database, n) in {"new", "in_progress"}}
    assert asked == worked


def _try(writing: Session, number: int, step: str, at: datetime) -> None:
    incident = writing.get_one(Incident, number)
    if step == "reopen":
        if incident.state in {"resolved", "closed"}:
            lifecycle.reopen(writing, number, "r", "user:ines", at)
    elif step == "close":
        if incident.state != "closed":
            lifecycle.close(writing, number, "test", "n", "user:ines", at)
    elif IncidentState(step) in lifecycle.NEXT[IncidentState(incident.state)]:
        lifecycle.move(writing, number, IncidentState(step), "playbook:x", at)


def _state(database: Database, number: int) -> str:
    with Session(database) as looking:
        return looking.get_one(Incident, number).state


def test_a_breach_is_told_once_for_each_clock_and_people_are_reached(
    suite: Suite, clock: SettableClock, finding: Make
) -> None:
    breaches = Breaches(suite)
    with session(suite.database) as writing:
        record(writing, [finding()], {}, clock.now(), suite.settings.incidents)
    told = []
    for hours in (0.99, 0.01, 1, 22, 0, 50):
        clock.moment += hours * HOUR
        told.append(breaches.look())
    engine = suite.engine()
    while engine.work():
        pass

    assert told == [0, 1, 0, 1, 0, 0]
    with Session(suite.database) as looking:
        alerts = looking.exec(select(Alert).order_by(col(Alert.id))).all()
        incident = looking.exec(select(Incident)).one()
        runs = looking.exec(select(Run)).all()
        kept = looking.exec(select(ClockBreach)).all()
    assert [(alert.rule, alert.incident) for alert in alerts] == [
        ("some-rule", 1), ("soc-sla-breached", 1), ("soc-sla-breached", 1)
    ]  # fmt: skip
    assert (incident.severity, incident.title) == ("high", "wallet:0xbad did it")
    assert [(run.playbook, run.state) for run in runs] == [("sla-breach", "done")] * 2
    assert [row.clock for row in kept] == ["acknowledge", "resolve"]
    copies = [json.loads(path.read_text()) for path in suite.home.outbox.glob("*.json")]
    assert len(copies) == 4
    assert {tuple(copy["to"]) for copy in copies} == {
        ("oncall:admin",),
        ("role:admin", "channel:security"),
    }


def test_the_one_whose_clock_rested_is_not_told(
    suite: Suite, clock: SettableClock, finding: Make
) -> None:
    with session(suite.database) as writing:
        record(writing, [finding()], {}, clock.now(), suite.settings.incidents)
    move(suite.database, IncidentState.ON_HOLD, clock.now())
    clock.moment += 30 * HOUR
    move(suite.database, IncidentState.IN_PROGRESS, clock.now())
    breaches = Breaches(suite)

    assert breaches.look() == 0
    clock.moment += 24 * HOUR
    assert breaches.look() == 1


def test_states_that_change_at_one_moment_are_one_pause(
    database: Database, clock: SettableClock, finding: Make
) -> None:
    open_one(database, clock.now(), finding())
    for state in (IncidentState.ON_HOLD, IncidentState.IN_PROGRESS, IncidentState.ON_HOLD):
        move(database, state, clock.now())

    with Session(database) as looking:
        (pause,) = looking.exec(select(IncidentPause)).all()
    assert (pause.began, pause.ended) == (NOON, None)
    assert ClockState.PAUSED in {state for state, _ in shown(database, NOON + HOUR).values()}
    assert Clock.RESOLVE in shown(database, NOON)


def test_a_promise_is_bounded() -> None:
    with pytest.raises(ValueError, match="write at most 365d"):
        Promise(resolve=timedelta(days=366))
