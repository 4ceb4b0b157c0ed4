"""An incident moves only as its life cycle allows, and closes only with a verdict."""

from collections.abc import Callable

import pytest
from sqlmodel import Session, select

from soc.clock import SettableClock
from soc.errors import Illegal, NotFound
from soc.incidents import lifecycle
from soc.incidents.lifecycle import NEXT, IncidentState
from soc.incidents.record import record
from soc.model.finding import Finding
from soc.store.session import Database, session
from soc.store.tables import AuditRow, Incident
from soc.triage import Incidents


@pytest.fixture
def opened(database: Database, clock: SettableClock, finding: Callable[..., Finding]) -> Database:
    with session(database) as writing:
        record(writing, [finding()], {}, clock.now(), Incidents())
    return database


@pytest.mark.parametrize("begin", [s for s in IncidentState if s != "closed"])
@pytest.mark.parametrize("end", [s for s in IncidentState if s != "closed"])
def test_every_step_is_allowed_or_refused_as_the_table_says(
    opened: Database, clock: SettableClock, begin: IncidentState, end: IncidentState
) -> None:
    with session(opened) as writing:
        writing.get_one(Incident, 1).state = begin

    if end in NEXT[begin]:
        with session(opened) as writing:
            lifecycle.move(writing, 1, end, "user:ines", clock.now())
            assert writing.get_one(Incident, 1).state == end
    else:
        with pytest.raises(Illegal, match="may become"), session(opened) as writing:
            lifecycle.move(writing, 1, end, "user:ines", clock.now())


@pytest.mark.parametrize(("verdict", "note"), [("", "x"), ("guilty", "x"), ("true_positive", " ")])
def test_nothing_closes_without_verdict_and_note(
    opened: Database, clock: SettableClock, verdict: str, note: str
) -> None:
    with pytest.raises(Illegal, match="needed"), session(opened) as writing:
        lifecycle.close(writing, 1, verdict, note, "user:ines", clock.now())

    with Session(opened) as reading:
        assert reading.get_one(Incident, 1).state == "new"


def test_closing_is_final_on_the_record_and_closes_the_alerts(
    opened: Database, clock: SettableClock
) -> None:
    with session(opened) as writing:
        lifecycle.close(writing, 1, "test", "a drill", "user:ines", clock.now())

    with pytest.raises(Illegal, match="nothing"), session(opened) as writing:
        lifecycle.close(writing, 1, "test", "again", "user:ines", clock.now())
    with Session(opened) as reading:
        assert [a.state for a in lifecycle.alerts_of(reading, 1)] == ["closed"]
        acts = reading.exec(select(AuditRow.action)).all()
    assert acts == ["incident.close"]


@pytest.mark.parametrize("name", ["INC-x", "12a", "", "INC--1", "²"])
def test_what_is_no_incident_is_not_found(name: str) -> None:
    with pytest.raises(NotFound):
        lifecycle.number_of(name)


def test_reopening_takes_a_reason_and_counts(opened: Database, clock: SettableClock) -> None:
    with session(opened) as writing:
        lifecycle.close(writing, 1, "false_positive", "a test", "user:ines", clock.now())
    with pytest.raises(Illegal, match="reason"), session(opened) as writing:
        lifecycle.reopen(writing, 1, " ", "user:ines", clock.now())

    with session(opened) as writing:
        lifecycle.reopen(writing, 1, "it goes on", "user:ines", clock.now())

    with Session(opened) as reading:
        found = reading.get_one(Incident, 1)
        assert (found.state, found.verdict, found.reopened) == ("in_progress", None, 1)
        assert found.resolved is None
        assert [a.state for a in lifecycle.alerts_of(reading, 1)] == ["in_incident"]


@pytest.mark.parametrize(("actor", "counts"), [("user:ines", True), ("playbook:notify", False)])
def test_only_people_acknowledge(
    opened: Database, clock: SettableClock, actor: str, *, counts: bool
) -> None:
    with session(opened) as writing:
        lifecycle.assign(writing, 1, "ines", actor, clock.now())

    with Session(opened) as reading:
        assert (reading.get_one(Incident, 1).acknowledged == clock.now()) is counts
