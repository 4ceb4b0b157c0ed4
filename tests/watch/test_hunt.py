"""A hunt finds what a detector would have found that had been there all the time."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from soc.app.hunting import hunt_rule
from soc.app.suite import Suite
from soc.app.taking import store
from soc.detect.sigma.asked import fields_of
from soc.errors import Refused
from soc.logs.embedded import EmbeddedLog
from soc.logs.promote import MAX_VALUE, announce

EVENTS: list[dict[str, Any]] = [
    {"event": {"dataset": "shop.audit", "action": "pay"}, "user": {"name": "Ann"}, "amount": 5},
    {"event": {"dataset": "shop.audit", "action": "pay"}, "user": {"name": ["bob", "Ann"]}},
    {
        "event": {"dataset": "shop.audit", "action": "PAY", "note": "x" * (MAX_VALUE + 9)},
        "amount": "7",
    },
    {"event": {"dataset": "shop.other", "action": "pay"}, "user": {"name": "ann"}, "amount": 9},
    {"event.dataset": "shop.audit", "event.action": "pay", "amount": None},
    {
        "event": {"dataset": "shop.audit", "action": "leave"},
        "owner": "ann",
        "user": {"name": "ann"},
    },
    {"event": {"dataset": "shop.audit", "note": "a needle somewhere"}},
]
DETECTIONS: dict[str, Any] = {
    "equals": {"s": {"event.action": "pay"}, "condition": "s"},
    "folded": {"s": {"user.name|startswith": "AN"}, "condition": "s"},
    "not": {"s": {"event.action": "pay"}, "n": {"user.name": "ann"}, "condition": "s and not n"},
    "null": {"s": {"amount": None, "event.action|exists": True}, "condition": "s"},
    "number": {"s": {"amount|gte": 6}, "condition": "s"},
    "words": {"s": ["needle"], "condition": "s"},
    "reference": {"s": {"owner|fieldref": "user.name"}, "condition": "s"},
    "long": {"s": {"event.note|endswith": "xxx"}, "condition": "s"},
    "any": {"s": {"event.action": "nothing"}, "condition": "not s"},
}


def rule_file(folder: Path, name: str, **keys: object) -> Path:
    written = {"title": name, "name": name, "level": "low"} | keys
    if "correlation" not in keys:
        written.setdefault("logsource", {"product": "shop", "service": "audit"})
    path = folder / f"{name}.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(written, sort_keys=False))
    return path


@pytest.fixture
def log(suite: Suite) -> Iterator[EmbeddedLog]:
    log = suite.log()
    yield log
    log.close()


def put(suite: Suite, log: EmbeddedLog, events: list[dict[str, Any]]) -> None:
    at = suite.clock.now().isoformat()
    lines = [json.dumps({"@timestamp": at, **event}).encode() for event in events]
    rows = suite.intake.read((line, None) for line in lines)
    store(suite, log, [("src", row) for row in rows])


def expected(suite: Suite, name: str) -> list[int]:
    ruleset = suite.rules.ruleset.only(name)
    raws = suite.reader.scan(0, 1_000).column("raw")
    return [n for n, raw in enumerate(raws, 1) if ruleset.match(json.loads(raw)).hits]


def seqs(result: dict[str, Any]) -> list[int]:
    return sorted(row["seq"] for row in result["rows"])


@pytest.mark.parametrize("is_promoted", [True, False])
@pytest.mark.parametrize("is_sealed", [True, False])
def test_it_finds_what_the_rules_hit(
    suite: Suite, log: EmbeddedLog, is_promoted: bool, is_sealed: bool
) -> None:
    for name, detection in DETECTIONS.items():
        rule_file(suite.home.content("rules"), name, detection=detection)
    if is_promoted:
        announce(suite.home.events, fields_of(suite.rules.ruleset))
    put(suite, log, EVENTS)
    if is_sealed:
        log.seal()
    put(suite, log, EVENTS)

    for name in DETECTIONS:
        found = hunt_rule(suite, name, None, None, 100)
        assert seqs(found) == expected(suite, name) != [], name
        assert found["events"] == 2 * len(EVENTS)
    assert found["from_text"] == len(EVENTS) * (1 if is_promoted and is_sealed else 2)
    assert ("were read as text" in found["problems"][0]) is bool(found["from_text"])


def test_columns_rule_out_what_need_not_be_read(suite: Suite, log: EmbeddedLog) -> None:
    rule_file(suite.home.content("rules"), "equals", detection=DETECTIONS["equals"])
    announce(suite.home.events, fields_of(suite.rules.ruleset))
    put(suite, log, EVENTS * 10)
    log.seal()

    found = hunt_rule(suite, "equals", None, None, 100)

    assert (found["from_text"], found["read"], len(found["rows"])) == (0, 0, 40)
    assert found["rows"][0]["source"] == "src"
    assert found["rows"][0]["matched"] == [
        {"selection": "s", "field": "event.action", "value": "pay"}
    ]


def test_where_nothing_can_hit_nothing_does(suite: Suite, log: EmbeddedLog) -> None:
    detection = {"s": {"event.action": ["sell", "rent"]}, "condition": "s"}
    rule_file(suite.home.content("rules"), "never", detection=detection)
    announce(suite.home.events, fields_of(suite.rules.ruleset))
    put(suite, log, EVENTS)
    log.seal()

    found = hunt_rule(suite, "never", None, None, 100)

    assert (found["events"], found["read"], found["rows"]) == (len(EVENTS), 0, [])


def test_a_file_that_is_not_loaded_can_be_tried(
    suite: Suite, log: EmbeddedLog, tmp_path: Path
) -> None:
    put(suite, log, EVENTS)
    path = rule_file(tmp_path, "mine", detection=DETECTIONS["equals"])

    (first, *_) = hunt_rule(suite, str(path), None, None, 100)["rows"]

    assert first["rule"] == "mine"
    assert first["matched"] == [{"selection": "s", "field": "event.action", "value": "pay"}]


def test_a_correlation_is_hunted_with_what_it_counts(
    suite: Suite, log: EmbeddedLog, tmp_path: Path
) -> None:
    put(suite, log, EVENTS)
    one = rule_file(tmp_path / "r", "paid", detection=DETECTIONS["equals"])
    two = {"type": "event_count", "rules": ["paid"], "timespan": "1h", "condition": {"gte": 4}}
    one.write_text(
        f"{one.read_text()}---\n{yaml.safe_dump({'title': 'Often', 'name': 'often', 'level': 'low', 'correlation': two})}"
    )

    (row,) = hunt_rule(suite, str(one), None, None, 100)["rows"]

    assert (row["rule"], row["seq"]) == ("Often", 5)


def test_no_more_than_asked_for_and_only_of_the_time_asked_for(
    suite: Suite, log: EmbeddedLog
) -> None:
    rule_file(suite.home.content("rules"), "equals", detection=DETECTIONS["equals"])
    put(suite, log, EVENTS)
    now = suite.clock.now()

    some = hunt_rule(suite, "equals", None, None, 2)

    assert len(some["rows"]) == 2
    assert any("more than 2 hits" in problem for problem in some["problems"])
    assert hunt_rule(suite, "equals", None, now, 9)["rows"] == []
    assert len(hunt_rule(suite, "equals", now, None, 9)["rows"]) == 4


@pytest.mark.parametrize(
    ("written", "reason"),
    [("nobody", "there is no Sigma rule 'nobody'"), ("gone.yml", "no such file or folder")],
)
def test_a_rule_that_is_not_there_is_told(suite: Suite, written: str, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        hunt_rule(suite, written, None, None, 9)
