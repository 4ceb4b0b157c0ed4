"""A hunt finds what rules hit that are asked about each event, whatever rules and events are."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from soc.clock import SettableClock
from soc.detect.sigma.asked import fields_of
from soc.detect.sigma.condition import Node
from soc.detect.sigma.ruleset import Ruleset
from soc.logs.embedded import EmbeddedLog
from soc.logs.promote import announce
from soc.model.event import Row, to_table
from soc.model.value import EPOCH
from soc.settings import Logs
from soc.watch.hunt import Hunt, hunt
from tests.detect.sigma.engine.test_same_answers import documents, nodes, rule


def hunted(folder: Path, conditions: list[Node], events: list[dict[str, Any]]) -> None:
    ruleset = Ruleset(tuple(rule(f"r{number}", one) for number, one in enumerate(conditions)))
    try:
        raws = [json.dumps(event, ensure_ascii=False) for event in events]
        "".join(raws).encode()
    except UnicodeEncodeError:
        assume(condition=False)
    log = EmbeddedLog(folder, Logs(warn_below=0, refuse_below=0), SettableClock(EPOCH))
    announce(folder, fields_of(ruleset))
    rows = [Row(EPOCH, raw, "ecs", event_id=None) for raw in raws]
    log.append(to_table(rows, "src", EPOCH, ["default"] * len(rows)))
    log.seal()

    told = Hunt()
    found = {(one.seq, one.hit.rule.name) for one in hunt(log.reader, ruleset, None, None, told)}

    outcomes = ruleset.match_stored(raws)
    wanted = {(seq, hit.rule.name) for seq, (hits, _) in enumerate(outcomes, 1) for hit in hits}
    assert found == wanted
    assert told.events == len(events)
    log.close()


asked = given(st.lists(nodes, min_size=1, max_size=2), st.lists(documents, min_size=1, max_size=30))


@settings(max_examples=60, suppress_health_check=[*HealthCheck], deadline=None)
@asked
def test_a_hunt_finds_what_rules_hit(
    tmp_path_factory: pytest.TempPathFactory, conditions: list[Node], events: list[dict[str, Any]]
) -> None:
    hunted(tmp_path_factory.mktemp("events"), conditions, events)


@pytest.mark.trial
@pytest.mark.timeout(3_600)
@settings(max_examples=1_000, suppress_health_check=[*HealthCheck], deadline=None)
@asked
def test_hunts_find_what_rules_hit(
    tmp_path_factory: pytest.TempPathFactory, conditions: list[Node], events: list[dict[str, Any]]
) -> None:
    hunted(tmp_path_factory.mktemp("events"), conditions, events)
