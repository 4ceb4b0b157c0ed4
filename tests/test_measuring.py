"""What is bad is told once an hour and level; how long detectors take is kept."""

from datetime import timedelta
from typing import Any

import orjson
import pytest
from sqlmodel import Session, select

from soc.app.measuring import Gauges, changes, figures, window_of
from soc.app.suite import Suite
from soc.clock import SettableClock
from soc.errors import QueryError
from soc.model.event import Row, to_table
from soc.store.session import session
from soc.store.tables import Alert, DetectorWindow, Incident, Timing
from tests.conftest import NOON
from tests.incidents.kpis.site import alert_of


def put_requests(suite: Suite, statuses: list[int], *, late: float = 0.0) -> None:
    """Log answers with *statuses* five minutes past noon, taken in *late* seconds later."""
    at = NOON + timedelta(minutes=5)
    log = suite.log()
    rows = [
        Row(
            at,
            orjson.dumps({"http": {"response": {"status_code": status}}}).decode(),
            "ecs",
            dataset="platform.access",
            event_id=f"{late}{n}",
        )
        for n, status in enumerate(statuses)
    ]
    log.append(to_table(rows, "platform", at + timedelta(seconds=late), ["default"] * len(rows)))
    log.close()


def told(suite: Suite) -> list[tuple[str, str, str]]:
    with Session(suite.database) as reading:
        found = reading.exec(
            select(Alert).where(Alert.rule.startswith("soc-kpi-")).order_by(Alert.id)
        )  # type: ignore[attr-defined]
        return [(row.rule, row.entity, row.severity) for row in found]


@pytest.fixture
def gauges(suite: Suite, clock: SettableClock) -> Gauges:
    clock.moment = NOON + timedelta(minutes=10)
    return Gauges(suite, suite.watch())


def test_a_figure_that_crosses_a_level_is_a_finding_about_the_suite(
    suite: Suite, gauges: Gauges
) -> None:
    put_requests(suite, [200] * 900 + [503] * 100)

    assert gauges.look() == ["soc-kpi-api-error-rate"]

    assert told(suite) == [("soc-kpi-api-error-rate", "source:kpi api-error-rate critical", "high")]
    with Session(suite.database) as reading:
        incident = reading.exec(select(Incident)).one()
        (alert,) = reading.exec(select(Alert)).all()
    assert incident.operations
    assert "0.1 share" in orjson.loads(alert.reasons_json)[0]
    assert "critical from 0.02" in orjson.loads(alert.reasons_json)[0]


def test_it_is_told_once_an_hour_whoever_looks(
    suite: Suite, gauges: Gauges, clock: SettableClock
) -> None:
    put_requests(suite, [200] * 10, late=45.0)

    first, second = gauges.look(), gauges.look()
    other = Gauges(suite, suite.watch()).look()
    clock.moment += timedelta(hours=1)

    assert first == ["soc-kpi-event-lag-max"]
    assert (second, other, gauges.look()) == ([], [], [])
    assert [severity for *_, severity in told(suite)] == ["medium"]


def test_what_gets_worse_within_the_hour_is_told_again(suite: Suite, gauges: Gauges) -> None:
    put_requests(suite, [200], late=31.0)
    gauges.look()
    put_requests(suite, [200], late=90.0)

    gauges.look()

    assert [severity for *_, severity in told(suite)] == ["medium", "high"]


def test_few_failures_of_few_requests_prove_nothing(suite: Suite, gauges: Gauges) -> None:
    put_requests(suite, [200, 200, 503])

    assert gauges.look() == []


def test_history_that_is_loaded_is_no_lag(suite: Suite, gauges: Gauges) -> None:
    put_requests(suite, [200], late=2 * 86_400.0)

    assert gauges.look() == []


def test_a_quiet_installation_has_no_finding(suite: Suite, gauges: Gauges) -> None:
    assert gauges.look() == []


def test_many_alerts_of_an_hour_are_a_finding_and_its_own_alerts_are_not(
    suite: Suite, gauges: Gauges
) -> None:
    with session(suite.database) as writing:
        writing.add(DetectorWindow(detector="some", state="{}", moved=NOON))
        writing.add_all([alert_of(None, f"rule-{n}", "ip:192.0.2.1", NOON) for n in range(9)])
        writing.add_all([alert_of(None, f"soc-{n}", "source:x", NOON) for n in range(9)])

    assert gauges.look() == ["soc-kpi-suspicious-per-hour"]
    assert [severity for *_, severity in told(suite)] == ["medium"]


def test_how_long_detectors_take_is_kept_by_the_hour(suite: Suite, clock: SettableClock) -> None:
    watch = suite.watch()
    gauges = Gauges(suite, watch)
    watch.timings.extend([("sigma", 0.0123), ("sigma", 0.0121), ("sigma", 1.2345), ("model", 0.5)])

    gauges.look()
    watch.timings.append(("sigma", 0.012))
    gauges.look()

    with Session(suite.database) as reading:
        kept = {(row.detector, row.took_ms): row.windows for row in reading.exec(select(Timing))}
    assert kept == {("sigma", 12): 3, ("sigma", 1_200): 1, ("model", 500): 1}
    clock.moment += timedelta(minutes=1)
    (figure,) = (
        f for f in figures(suite, timedelta(hours=2)) if f["kpi"] == "inference-latency-p95"
    )
    assert (figure["value"], figure["n"], figure["level"]) == (1_200, 5, "critical")


def test_old_timings_are_forgotten(suite: Suite) -> None:
    watch = suite.watch()
    with session(suite.database) as writing:
        writing.add(Timing(hour=NOON - timedelta(days=101), detector="x", took_ms=1, windows=1))
    watch.timings.append(("sigma", 0.01))

    Gauges(suite, watch).look()

    with Session(suite.database) as reading:
        assert [row.detector for row in reading.exec(select(Timing))] == ["sigma"]


def test_a_detector_that_judges_events_is_timed(suite: Suite) -> None:
    put_requests(suite, [200] * 3)
    watch = suite.watch()

    watch.drain()

    names = [name for name, _ in watch.timings]
    assert "sigma" in names
    assert all(seconds >= 0 for _, seconds in watch.timings)


@pytest.mark.parametrize("text", ["", "7", "d7", "0d", "367d", "7y", "-1d"])
def test_a_window_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(QueryError, match="window"):
        window_of(text)


def test_levels_that_fall_are_refused(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from soc.errors import SettingsError

    monkeypatch.setenv("SOC_INCIDENTS__KPIS", '{"event_lag": [5, 60, 30]}')

    with pytest.raises(SettingsError, match="write three numbers that do not fall"):
        Suite(home)


def test_figures_are_compared_around_a_moment(suite: Suite, clock: SettableClock) -> None:
    put_requests(suite, [200] * 300 + [503] * 100)
    clock.moment = NOON + timedelta(hours=2)

    told = {one["kpi"]: one for one in changes(suite, NOON, timedelta(hours=1))}

    errors = told["api-error-rate"]
    assert (errors["before"]["n"], errors["after"]["n"], errors["changed"]) == (0, 400, None)
    assert errors["after"]["value"] == 0.25
    with pytest.raises(QueryError, match="not over"):
        changes(suite, NOON, timedelta(hours=3))
