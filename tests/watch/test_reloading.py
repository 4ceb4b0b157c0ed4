"""Rules that are changed while the suite works count from the next window on."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from sqlmodel import Session, select

from soc.app.reloading import Reloading
from soc.app.suite import Suite
from soc.app.taking import store
from soc.logs.embedded import EmbeddedLog
from soc.store.tables import Alert


@pytest.fixture
def log(suite: Suite) -> Iterator[EmbeddedLog]:
    log = suite.log()
    yield log
    log.close()


def put(suite: Suite, log: EmbeddedLog, action: str) -> None:
    event = {
        "@timestamp": suite.clock.now().isoformat(),
        "event": {"dataset": "shop.audit", "action": action},
    }
    rows = suite.intake.read([(json.dumps(event).encode(), None)])
    store(suite, log, [("src", row) for row in rows])


def write(suite: Suite, name: str, selection: dict[str, Any]) -> None:
    rule = {
        "title": name,
        "name": name,
        "level": "low",
        "logsource": {"product": "shop", "service": "audit"},
        "detection": {"selection": selection, "condition": "selection"},
    }
    folder = suite.home.content("rules")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.yml").write_text(yaml.safe_dump(rule))


def alerts(suite: Suite) -> list[str]:
    with Session(suite.database) as reading:
        return sorted(reading.exec(select(Alert.rule)))


def test_a_new_a_changed_and_a_removed_rule_count_without_a_restart(
    suite: Suite, log: EmbeddedLog
) -> None:
    write(suite, "mine", {"event.action": "first"})
    watch = suite.watch()
    reloading = Reloading(suite, watch, every=0)

    write(suite, "mine", {"event.action": "second"})
    write(suite, "more", {"event.action": "second"})
    put(suite, log, "first")
    put(suite, log, "second")
    reloading.look()
    watch.drain()
    assert alerts(suite) == ["mine", "more"]

    (suite.home.content("rules") / "more.yml").unlink()
    write(suite, "last", {"event.action": "third"})
    put(suite, log, "second")
    put(suite, log, "third")
    reloading.look()
    watch.drain()
    assert alerts(suite) == ["last", "mine", "more"]


def test_a_rule_that_no_longer_loads_is_told_and_stops_no_other(
    suite: Suite, log: EmbeddedLog
) -> None:
    write(suite, "mine", {"event.action": "first"})
    watch = suite.watch()
    reloading = Reloading(suite, watch, every=0)

    write(suite, "mine", {"event.action|nonsense": "first"})
    write(suite, "other", {"event.action": "first"})
    put(suite, log, "first")
    reloading.look()
    watch.drain()

    assert alerts(suite) == ["other", "soc-rules-failed"]
