"""What belongs together does not depend on what was found first."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, select

from soc.incidents import alerts, lifecycle
from soc.incidents.record import record
from soc.model.finding import Finding
from soc.model.value import Entity, Severity
from soc.store.session import Database, session
from soc.store.tables import (
    Alert,
    Incident,
)
from soc.triage import Incidents
from tests.conftest import NOON, _finding
from tests.incidents.emptied import clear

ENTITIES = st.sampled_from(
    [f"wallet:0x{n}" for n in range(5)] + ["ip:192.0.2.1", "host:web", "source:indexer"]
)
LEVELS = st.sampled_from([Severity.LOW, Severity.MEDIUM, Severity.HIGH])


@st.composite
def findings(draw: st.DrawFn) -> Finding:
    names = draw(st.lists(ENTITIES, min_size=1, max_size=3, unique=True))
    return _finding(
        names[0],
        draw(st.sampled_from(["one", "two", "soc-three"])),
        entities=tuple(map(Entity.parse, names)),
        severity=draw(LEVELS),
        monitor=draw(st.booleans()),
        at=NOON + timedelta(hours=draw(st.integers(0, 2))),
    )


def put(database: Database, found: list[Finding]) -> set[object]:
    """Return which alerts are together after *found*, how bad, and who is named."""
    with session(database) as writing:
        clear(writing)
    for one in found:
        with session(database) as writing:
            record(writing, [one], {}, NOON, Incidents())
    with Session(database) as reading:
        open_ = [i for i in reading.exec(select(Incident)) if i.merged_into is None]
        parts: set[object] = {
            (
                frozenset(alert.key for alert in lifecycle.alerts_of(reading, one.id or 0)),
                one.severity,
                tuple(lifecycle.entities_of(reading, one.id or 0)),
                one.first,
            )
            for one in open_
        }
        every = reading.exec(select(Alert)).all()
        loose = {("loose", one.key) for one in every if one.incident is None}
        for alert in every:
            assert alert.count == sum(alerts.key_of(one) == alert.key for one in found)
        return parts | loose


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_order_gives_the_same_incidents(database: Database, data: st.DataObject) -> None:
    found = data.draw(st.lists(findings(), min_size=2, max_size=8))
    other = data.draw(st.permutations(found))

    assert put(database, found) == put(database, other)


def test_what_links_two_incidents_makes_them_one(
    database: Database, finding: Callable[..., Finding]
) -> None:
    both = tuple(map(Entity.parse, ("wallet:0xa", "wallet:0xb")))
    with session(database) as writing:
        record(writing, [finding("wallet:0xa"), finding("wallet:0xb")], {}, NOON, Incidents())
        (change,) = record(writing, [finding(rule="link", entities=both)], {}, NOON, Incidents())

    with Session(database) as reading:
        first, second = reading.exec(select(Incident)).all()
        assert (change.incident, first.state, second.merged_into) == (first.id, "new", first.id)
        assert len(lifecycle.alerts_of(reading, 1)) == 3
        assert lifecycle.alerts_of(reading, 2) == []


def test_what_a_person_works_is_not_merged_under_their_hands(
    database: Database, finding: Callable[..., Finding]
) -> None:
    both = tuple(map(Entity.parse, ("wallet:0xa", "wallet:0xb")))
    with session(database) as writing:
        record(writing, [finding("wallet:0xa"), finding("wallet:0xb")], {}, NOON, Incidents())
        for number in (1, 2):
            lifecycle.assign(writing, number, "ines", "user:ines", NOON)
        record(writing, [finding(rule="link", entities=both)], {}, NOON, Incidents())

    with Session(database) as reading:
        assert [i.merged_into for i in reading.exec(select(Incident))] == [None, None]
        assert len(lifecycle.alerts_of(reading, 1)) == 2


def test_what_was_too_harmless_joins_what_comes_later(
    database: Database, finding: Callable[..., Finding]
) -> None:
    with session(database) as writing:
        record(writing, [finding(rule="odd", severity=Severity.LOW)], {}, NOON, Incidents())
        record(writing, [finding(rule="bad")], {}, NOON, Incidents())

    with Session(database) as reading:
        assert [(a.rule, a.joined_by) for a in lifecycle.alerts_of(reading, 1)] == [
            ("odd", "shares wallet:0xbad with this incident, which came later"),
            ("bad", "opened this incident"),
        ]


@pytest.mark.parametrize(
    ("verdict", "hours", "reopens"),
    [
        pytest.param("true_positive", 1, True, id="it goes on"),
        pytest.param("true_positive", 3, False, id="too long ago"),
        pytest.param("false_positive", 1, False, id="it was nothing"),
    ],
)
def test_a_closed_incident_is_taken_up_again_or_named(
    database: Database, finding: Callable[..., Finding], verdict: str, hours: int, *, reopens: bool
) -> None:
    policy = Incidents(reopen_within=timedelta(hours=2))
    with session(database) as writing:
        record(writing, [finding()], {}, NOON, policy)
        lifecycle.close(writing, 1, verdict, "decided", "user:ines", NOON)

    later = NOON + timedelta(hours=hours)
    with session(database) as writing:
        record(writing, [finding(at=later)], {}, later, policy)

    with Session(database) as reading:
        newest = lifecycle.alerts_of(reading, 1 if reopens else 2)[-1]
        assert reading.get_one(Incident, 1).reopened == int(reopens)
        said = (
            "reopened this incident: shares wallet:0xbad"
            if reopens
            else f"opened this incident; INC-1, closed as {verdict}, shares wallet:0xbad"
        )
        assert newest.joined_by == said
