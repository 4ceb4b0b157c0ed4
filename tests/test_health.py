"""Trouble of the event store is an incident, once while it lasts."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from soc.app.health import Health
from soc.app.suite import Suite
from soc.clock import SettableClock
from soc.errors import StoreFull
from soc.ingest.parse import Intake
from soc.ingest.parsers.ecs import Ecs
from soc.model.event import assign
from soc.store.session import reading
from soc.store.tables import Alert


def rules(suite: Suite) -> list[str]:
    with reading(suite.database) as looking:
        return sorted(looking.exec(select(Alert.rule)))


def test_a_disk_below_its_limit_is_told_once_and_takes_nothing_more(
    home: Path, clock: SettableClock
) -> None:
    (home / "settings.yml").write_text("logs: {warn_below: 0.9999, refuse_below: 0.9998}\n")
    suite = Suite(home, clock)
    log = suite.log()
    health = Health(suite, log)

    assert health.look() == ["soc-disk-low"]
    assert health.look() == []
    assert rules(suite) == ["soc-disk-low"]
    line = b'{"@timestamp":"2026-11-23T12:00:00Z"}'
    columns = Intake({"ecs": Ecs()}).table([line], [None], clock.now())
    with pytest.raises(StoreFull, match=r"below 100% nothing is taken in: make room"):
        log.append(assign(columns, ["src"], ["default"]))
    assert log.reader.view().upto == 0
    log.close()
    suite.database.dispose()


def test_what_cannot_be_made_permanent_is_told_and_told_again_when_it_comes_back(
    home: Path, clock: SettableClock
) -> None:
    (home / "settings.yml").write_text("logs: {seal_after: 1s, warn_below: 0}\n")
    suite = Suite(home, clock)
    log = suite.log()
    health = Health(suite, log)
    in_the_way = home / "events" / "seg" / "default"
    in_the_way.write_text("")
    line = b'{"@timestamp":"2026-11-23T12:00:00Z"}'
    columns = Intake({"ecs": Ecs()}).table([line], [None], clock.now())

    log.append(assign(columns, ["src"], ["default"]))
    clock.moment += timedelta(seconds=2)
    log.tick()
    log.settle()  # type: ignore[attr-defined]  # this one is embedded

    assert health.look() == ["soc-store-problem"]
    in_the_way.unlink()
    log.tick()
    log.settle()  # type: ignore[attr-defined]  # as above
    assert health.look() == []
    assert log.problem == ""
    log.close()
    suite.database.dispose()
