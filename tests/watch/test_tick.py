"""A window moves with all that follows from it, or not at all."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, col, func, select

from soc.app.now import detect_now
from soc.app.suite import Suite
from soc.app.switching import switch
from soc.app.taking import store
from soc.clock import SettableClock
from soc.detect.detector import Mode, Observed
from soc.incidents.record import Change
from soc.logs.embedded import EmbeddedLog
from soc.model.event import Batch
from soc.model.value import Value
from soc.store.tables import Alert, AlertEvent, DetectorWindow, Incident, Run
from soc.watch.tick import Watch

FLOOD = [
    {
        "event": {"dataset": "platform.access", "action": "request"},
        "source": {"ip": "192.0.2.7"},
        "wallet": {"address": "0xbad"},
    }
] * 240


@pytest.fixture
def log(suite: Suite) -> Iterator[EmbeddedLog]:
    log = suite.log()
    yield log
    log.close()


def put(suite: Suite, log: EmbeddedLog, documents: list[dict[str, Any]]) -> None:
    at = suite.clock.now().isoformat()
    lines = [json.dumps({"@timestamp": at, **document}).encode() for document in documents]
    rows = suite.intake.read((line, None) for line in lines)
    store(suite, log, [("src", row) for row in rows])


def count(suite: Suite, table: Any) -> int:
    with Session(suite.database) as reading:
        return int(reading.exec(select(func.count()).select_from(table)).one())


def test_a_flood_is_an_alert_with_evidence_an_incident_and_a_run(
    suite: Suite, log: EmbeddedLog
) -> None:
    put(suite, log, FLOOD)

    detect_now(suite, None)

    assert (count(suite, Alert), count(suite, Incident), count(suite, Run)) == (1, 1, 1)
    with Session(suite.database) as reading:
        assert reading.exec(select(func.count()).select_from(AlertEvent)).one() == 25


def test_evidence_outlives_its_log(suite: Suite, log: EmbeddedLog) -> None:
    put(suite, log, FLOOD)
    detect_now(suite, None)
    log.seal()

    log.drop("default", suite.clock.now().date(), "a test")

    assert len(log.reader.scan(0, 1000)) == 0
    with Session(suite.database) as reading:
        raws = reading.exec(select(AlertEvent.raw)).all()
    assert all(json.loads(raw)["wallet"]["address"] == "0xbad" for raw in raws)
    assert len(raws) == 25


@pytest.mark.parametrize("cut", [1, 7, 100, 239, 240, 241])
def test_it_does_not_matter_how_events_are_cut_into_windows(
    home: Path, clock: SettableClock, cut: int
) -> None:
    (home / "settings.yml").write_text(f"detect: {{window: {cut}}}\n")
    suite = Suite(home, clock)
    log = suite.log()
    put(suite, log, FLOOD)

    detect_now(suite, None)

    with Session(suite.database) as reading:
        assert reading.exec(select(Alert.rule, Alert.count)).all() == [("qf-api-abuse", 1)]
    log.close()
    suite.database.dispose()


def test_a_crash_before_the_commit_loses_nothing(suite: Suite, log: EmbeddedLog) -> None:
    def crash(_session: Session, changes: tuple[Change, ...], _now: datetime) -> None:
        if changes:
            raise KeyboardInterrupt

    parts = (suite.reader, suite.database, suite.clock, suite.settings, suite.detectors, {})
    put(suite, log, FLOOD)
    with pytest.raises(KeyboardInterrupt):
        Watch(*parts, crash).drain()
    assert count(suite, Alert) == 0

    detect_now(suite, None)

    assert (count(suite, Alert), count(suite, Run)) == (1, 1)


class Nothing(Value):
    """Nothing to remember."""


class Broken:
    """Cannot judge anything."""

    name = "broken"
    rules = ("broken",)
    state = Nothing

    def observe(self, batch: Batch, state: Nothing, now: datetime) -> Observed[Nothing]:
        raise ZeroDivisionError("a mistake")


def test_a_detector_that_raises_is_an_alert_and_its_window_stays(
    suite: Suite, log: EmbeddedLog
) -> None:
    put(suite, log, FLOOD[:1])
    watch = Watch(
        suite.reader,
        suite.database,
        suite.clock,
        suite.settings,
        {"broken": Broken()},
        {},
        suite.follow(),
    )

    for _ in range(2):
        ticks = watch.tick()

    assert ticks[-1].failed == "ZeroDivisionError: a mistake"
    with Session(suite.database) as reading:
        window = reading.get_one(DetectorWindow, "broken")
        (alert,) = reading.exec(select(Alert)).all()
    assert (window.marks, window.failure) == ("{}", "ZeroDivisionError: a mistake")
    assert (alert.rule, alert.count) == ("soc-detector-failed", 2)


def test_a_disabled_rule_says_nothing_and_a_watched_one_starts_nothing(
    suite: Suite, log: EmbeddedLog
) -> None:
    switch(suite, "qf-api-abuse", Mode.DISABLED, "a test", None, "os:test")
    put(suite, log, FLOOD)
    detect_now(suite, None)
    assert count(suite, Alert) == 0

    switch(suite, "6f1c9a04-7d0b-4b53-9b0e-0a5f0a4f1b02", Mode.MONITOR, "a test", None, "os:test")
    put(suite, log, FLOOD)
    detect_now(suite, None)

    with Session(suite.database) as reading:
        assert reading.exec(select(Incident.monitor)).all() == [True]
    assert count(suite, Run) == 0


def test_a_removed_gift_is_taken_back(suite: Suite, log: EmbeddedLog) -> None:
    from soc.funding import projection

    gift = {
        "event": {"dataset": "chain.donation"},
        "wallet": {"address": "0xa"},
        "chain": {"tx": {"hash": "0x1"}, "finality": "latest"},
        "funding": {"round": {"id": "r"}, "project": {"id": "p"}, "amount": {"raw": "70"}},
    }
    opened = {
        "event": {"dataset": "funding.round", "action": "round-opened"},
        "funding": {"round": {"id": "r", "pool": "9"}},
    }
    put(suite, log, [opened, gift, gift])
    detect_now(suite, None)
    with Session(suite.database) as reading:
        assert projection.rounds(reading)[0]["amount"] == "70"

    put(suite, log, [{**gift, "chain": {"tx": {"hash": "0x1"}, "finality": "removed"}}])
    detect_now(suite, None)

    with Session(suite.database) as reading:
        assert projection.rounds(reading)[0]["amount"] == "0"
        marks = reading.exec(
            select(DetectorWindow.marks).where(col(DetectorWindow.detector) == "funding")
        )
        assert marks.one() == '{"0":4}'
