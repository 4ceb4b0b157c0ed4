"""Findings become alerts by key, alerts become incidents by shared entity, and each says why."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlmodel import Session, select

from soc.clock import SettableClock
from soc.incidents import alerts, lifecycle
from soc.incidents.alerts import Evidence
from soc.incidents.record import Change, record
from soc.model.finding import Finding, Score
from soc.model.value import Entity, Severity
from soc.store.session import Database, session
from soc.store.tables import Alert, Incident
from soc.triage import Incidents
from tests.conftest import NOON

Make = Callable[..., Finding]


@pytest.fixture
def put(database: Database, clock: SettableClock) -> Callable[..., tuple[Change, ...]]:
    def put(*findings: Finding, events: dict[int, Evidence] | None = None) -> tuple[Change, ...]:
        with session(database) as writing:
            return record(writing, findings, events or {}, clock.now(), Incidents())

    return put


def look(database: Database) -> tuple[list[Alert], list[Incident]]:
    with Session(database) as reading:
        return list(reading.exec(select(Alert))), list(reading.exec(select(Incident)))


def test_ten_thousand_equal_findings_are_one_alert(put, finding: Make, database: Database) -> None:
    for _ in range(10):
        put(*[finding(count=100) for _ in range(10)])

    (alert,), (incident,) = look(database)

    assert alert.count == 10_000
    assert alert.incident == incident.id


def test_another_bucket_is_another_alert_of_the_same_incident(
    put, finding: Make, database: Database, clock: SettableClock
) -> None:
    put(finding())
    put(finding(at=clock.now() + timedelta(hours=1)))

    found, (incident,) = look(database)

    assert [alert.incident for alert in found] == [incident.id, incident.id]
    assert found[1].joined_by == "shares wallet:0xbad with this incident"


@pytest.mark.parametrize(
    ("entity", "rule", "incidents"),
    [
        pytest.param("wallet:0xbad", "other", 1, id="a shared wallet"),
        pytest.param("wallet:0xother", "other", 2, id="another wallet"),
        pytest.param("wallet:0xother", "some-rule", 2, id="the same rule on another wallet"),
        pytest.param("wallet:0xbad", "soc-other", 2, id="a finding about the suite"),
    ],
)
def test_what_joins(
    put, finding: Make, database: Database, entity: str, rule: str, incidents: int
) -> None:
    put(finding(), finding(entity, rule))

    assert len(look(database)[1]) == incidents


def test_a_source_joins_only_alerts_of_its_own_rule(put, finding: Make, database: Database) -> None:
    put(finding("source:indexer", "lag"), finding("source:indexer", "other"))
    put(finding("source:indexer", "lag", at=finding().first + timedelta(hours=2)))

    found, incidents = look(database)

    assert len(incidents) == 2
    assert found[0].incident == found[2].incident


def test_an_incident_that_rested_a_day_takes_nothing_more(
    put, finding: Make, database: Database, clock: SettableClock
) -> None:
    put(finding())
    clock.moment += timedelta(hours=24)

    put(finding(at=clock.now()))

    assert len(look(database)[1]) == 2


def test_a_low_severity_opens_nothing_but_joins(put, finding: Make, database: Database) -> None:
    assert put(finding(rule="score", severity=Severity.LOW)) == ()
    assert look(database)[1] == []

    put(finding())
    put(finding(rule="score", severity=Severity.LOW))

    found, (incident,) = look(database)
    assert {alert.incident for alert in found} == {incident.id}
    assert incident.severity == "high"


def test_a_closed_incident_takes_nothing_silently(
    put, finding: Make, database: Database, clock: SettableClock
) -> None:
    put(finding())
    with session(database) as writing:
        lifecycle.close(writing, 1, "false_positive", "a test", "user:ines", clock.now())

    (change,) = put(finding())

    found, incidents = look(database)
    assert change == Change(2, opened=True, monitor=False)
    assert [alert.state for alert in found] == ["closed", "in_incident"]
    assert [alert.count for alert in found] == [1, 1]
    assert len(incidents) == 2


def test_monitor_findings_stay_apart(put, finding: Make, database: Database) -> None:
    put(finding(), finding(rule="watched", monitor=True))

    _, incidents = look(database)

    assert [incident.monitor for incident in incidents] == [False, True]


def test_the_first_20_and_last_5_events_are_kept(
    put, finding: Make, database: Database, clock: SettableClock
) -> None:
    def event(seq: int) -> Evidence:
        return Evidence(seq, clock.now(), "src", f'{{"n":{seq}}}')

    for begin in range(1, 101, 10):
        seqs = tuple(range(begin, begin + 10))
        put(finding(seqs=seqs), events={seq: event(seq) for seq in seqs})

    with Session(database) as reading:
        kept = [row.seq for row in alerts.events_of(reading, 1)]
    assert kept == [*range(1, 21), *range(96, 101)]


def test_the_title_follows_what_opened_the_incident(
    put, finding: Make, database: Database, clock: SettableClock
) -> None:
    later = clock.now() + timedelta(hours=1)
    put(finding(title="funded 26 wallets"), finding(rule="other", title="something else"))
    put(finding(title="funded 42 wallets", at=later))

    assert [incident.title for incident in look(database)[1]] == ["funded 42 wallets"]


def test_only_what_changes_an_incident_is_a_change(put, finding: Make) -> None:
    wallets = tuple(Entity.parse(f"wallet:0x{n}") for n in range(3))

    assert put(finding(entities=wallets[:1])) == (Change(1, opened=True, monitor=False),)
    assert put(finding(entities=wallets[:1])) == ()
    assert put(finding(entities=wallets)) == (Change(1, opened=False, monitor=False),)


def test_what_is_only_watched_does_not_swallow_what_acts(
    put, finding: Make, database: Database
) -> None:
    put(finding(monitor=True))
    put(finding())

    found, incidents = look(database)

    assert [(alert.monitor, alert.count) for alert in found] == [(True, 1), (False, 1)]
    assert [incident.monitor for incident in incidents] == [True, False]


def test_after_closing_the_same_thing_again_is_one_new_alert(
    put, finding: Make, database: Database, clock: SettableClock
) -> None:
    put(finding())
    with session(database) as writing:
        lifecycle.close(writing, 1, "false_positive", "a test", "user:ines", clock.now())
    for _ in range(5):
        put(finding())

    assert [alert.count for alert in look(database)[0]] == [1, 5]


def test_a_host_that_every_event_names_joins_nothing(
    put, finding: Make, database: Database
) -> None:
    host = Entity.parse("host:web-1")
    for wallet in ("wallet:0xa", "wallet:0xb"):
        put(finding(wallet, entities=(Entity.parse(wallet), host)))

    assert len(look(database)[1]) == 2


def test_a_score_opens_no_incident_whatever_the_settings_say(
    database: Database, finding: Callable[..., Finding]
) -> None:
    low = {"severity": Severity.LOW, "at": NOON}
    scored = finding("wallet:0xbad", **low, score=Score(value=1.0, reasons=("odd",)))
    policy = Incidents(open_from=Severity.INFORMATIONAL)
    with session(database) as writing:
        assert record(writing, [scored], {}, NOON, policy) == ()
        record(writing, [finding("wallet:0xbad", "other", **low)], {}, NOON, policy)

    found, incidents = look(database)
    assert len(incidents) == 1
    assert {alert.incident for alert in found} == {incidents[0].id}
