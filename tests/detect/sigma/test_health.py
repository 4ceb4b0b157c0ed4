"""Rules that can hit nothing of what is sent are named, with what they miss."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from soc.cli.main import app
from soc.detect.sigma.health import Examiner, Health, State
from soc.detect.sigma.ruleset import Ruleset
from soc.detect.sigma.weigh import Scales

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
Load = Callable[..., Ruleset]
RuleOf = Callable[..., dict[str, Any]]
AUDIT = {"event": {"dataset": "shop.audit"}}


def examined(ruleset: Ruleset, *documents: dict[str, Any]) -> dict[str, Health]:
    examiner = Examiner(ruleset)
    for number, document in enumerate(documents):
        examiner.see(AUDIT | document, NOON + timedelta(minutes=number))
    return {one.about.name: one for one in examiner.report()}


@pytest.mark.parametrize(
    ("detection", "state", "why"),
    [
        pytest.param({"f": "x"}, State.ACTIVE, (), id="it hit"),
        pytest.param({"f": "y"}, State.DEAD, ("f was never what it asks for",), id="never"),
        pytest.param({"g": "x"}, State.DEAD, ("no event has g",), id="no such field"),
        pytest.param({"f": "x", "h": "1"}, State.QUIET, (), id="each part alone was there"),
        pytest.param(
            {"f": "x", "g|contains": "a", "i": "b"},
            State.DEAD,
            ("no event has g", "no event has i"),
            id="two fields are missing",
        ),
        pytest.param(["needle"], State.DEAD, ("no event has its words",), id="words"),
        pytest.param(["wor"], State.ACTIVE, (), id="words that are there"),
    ],
)
def test_what_events_show_of_a_rule(
    detection: object, state: State, why: tuple[str, ...], load: Load, rule_of: RuleOf
) -> None:
    ruleset = load({"a.yml": rule_of(detection)})

    (found,) = examined(ruleset, {"f": "x", "w": "word"}, {"f": "z", "h": 1}).values()

    assert (found.state, found.why, found.events) == (state, why, 2)


def test_hits_are_counted_and_the_last_is_told(load: Load, rule_of: RuleOf) -> None:
    ruleset = load({"a.yml": rule_of({"f": "x"})})

    found = examined(ruleset, {"f": "x"}, {"f": "x"}, {"f": "y"})["a"]

    assert (found.hits, found.last_hit) == (2, NOON + timedelta(minutes=1))


def test_hits_a_day_are_of_the_time_that_events_span(load: Load, rule_of: RuleOf) -> None:
    examiner = Examiner(load({"a.yml": rule_of({"f": "x"})}))
    for hour in (0, 1, 48):
        examiner.see(AUDIT | {"f": "x"}, NOON + timedelta(hours=hour))

    (found,) = examiner.report()

    assert (found.hits, found.a_day, found.share) == (3, 1.5, None)


def test_hits_of_an_hour_are_those_of_a_day(load: Load, rule_of: RuleOf) -> None:
    found = examined(load({"a.yml": rule_of({"f": "x"})}), {"f": "x"}, {"f": "x"})["a"]

    assert found.a_day == 2


def test_a_share_is_what_a_rule_took_of_what_all_took(load: Load, rule_of: RuleOf) -> None:
    ticks = iter([0, 1, 10, 13, 100, 101, 110, 113])
    files = {"a.yml": rule_of({"f": "x"}), "b.yml": rule_of({"f|contains": "y"})}
    examiner = Examiner(load(files), Scales(lambda: next(ticks), every=2))
    for _ in range(4):  # of which the first and the third are weighed
        examiner.see(AUDIT | {"f": "z"}, NOON)

    assert [one.share for one in examiner.report()] == [0.25, 0.75]


def test_a_rule_that_excludes_what_is_always_there_is_dead(load: Load, rule_of: RuleOf) -> None:
    detection = {"all": {"f|exists": True}, "known": {"f|exists": True}}
    detection["condition"] = "all and not known"  # type: ignore[assignment]  # words, not a map
    ruleset = load({"a.yml": rule_of(detection=detection)})

    found = examined(ruleset, {"f": "x"})["a"]

    # Each question had a yes; that they are one question is not looked into.
    assert found.state is State.QUIET


def test_a_rule_without_events_of_its_log_source_is_dead(load: Load, rule_of: RuleOf) -> None:
    other = rule_of({"f": "x"}, logsource={"product": "linux", "service": "sshd"})

    found = examined(load({"a.yml": other}, None), {"f": "x"})["a"]

    assert (found.state, found.why) == (State.DEAD, ("no event of its log source",))


def test_a_correlation_of_dead_rules_is_dead(load: Load, rule_of: RuleOf) -> None:
    counting = {
        "title": "Many",
        "correlation": {
            "type": "event_count", "rules": ["base"], "group-by": ["f"], "timespan": "1m",
            "condition": {"gte": 3},
        },
    }  # fmt: skip
    ruleset = load({"many.yml": counting, "base.yml": rule_of({"g": "x"}, name="base")})

    found = examined(ruleset, {"f": "x"})["many"]

    assert (found.state, found.why) == (State.DEAD, ("it counts base, which is dead",))


def test_the_command_looks_at_the_newest_events(tmp_path: Path) -> None:
    home = ["--home", str(tmp_path / "home")]
    events = tmp_path / "events.ndjson"
    login = (
        '{"@timestamp":"2026-11-20T12:00:00Z","event":{"dataset":"platform.auth","action":"login",'
    )
    events.write_text(f'{login}"outcome":"failure"}},"user":{{"name":"ann"}}}}\n' * 3)
    run = CliRunner().invoke
    assert run(app, ["init", *home]).exit_code == 0
    assert run(app, ["ingest", str(events), *home]).exit_code == 0

    found = {
        one["rule"]: one
        for one in json.loads(run(app, ["rules", "health", *home, "--json"]).stdout)
    }

    states = {name: one["state"] for name, one in found.items()}
    assert "active" in states.values()
    assert found["linux-root-ssh-login"]["why"] == ["no event of its log source"]
    assert states["linux-root-ssh-login"] == "dead"
    shares = [one["cost_share"] for one in found.values() if one["cost_share"] is not None]
    assert sum(shares) == pytest.approx(1, abs=0.01)
    assert any(
        one["hits"] == one["hits_a_day"] == 3 and one["last_hit"] == "2026-11-20T12:00:00Z"
        for one in found.values()
    )
    shown = run(app, ["rules", "health", *home]).stdout
    assert "no event of its log source" in shown
