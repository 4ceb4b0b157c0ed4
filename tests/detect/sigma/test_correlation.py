"""Correlations as they are written."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from soc.detect.sigma.rule import CountKind
from soc.detect.sigma.ruleset import Ruleset

Load = Callable[..., Ruleset]
RuleOf = Callable[..., dict[str, Any]]

ID = "0f8e3f44-3f0c-4b8e-9d1c-5c1d6b7f0a22"


def many(**keys: object) -> dict[str, object]:
    """Return a correlation, with some of its keys changed or, if None, left out."""
    correlation = {
        "type": "event_count",
        "rules": ["gift"],
        "group-by": ["wallet.address"],
        "timespan": "15m",
        "condition": {"gte": 3},
    }
    changed = {key: value for key, value in (correlation | keys).items() if value is not None}
    return {"title": "Many gifts", "name": "many-gifts", "level": "high", "correlation": changed}


def test_a_correlation_is_read_whole(load: Load, rule_of: RuleOf) -> None:
    written = many(
        type="value_count",
        rules=["gift", ID],
        condition={"gt": 4, "field": "amount"},
        aliases={"amount": {"gift": "funding.amount.raw", ID: "value"}},
        generate=True,
    )
    files = {
        "a.yml": rule_of({"f": 1}, name="gift"),
        "b.yml": rule_of({"f": 2}, id=ID),
        "c.yml": written,
    }

    ruleset = load(files)

    (rule,) = ruleset.correlations
    assert ruleset.failed == ()
    assert (rule.name, rule.title, rule.level) == ("many-gifts", "Many gifts", "high")
    assert (rule.kind, rule.rules) == (CountKind.VALUE_COUNT, ("gift", "b"))
    assert (rule.group_by, rule.counted) == (("wallet.address",), ("amount",))
    assert (rule.timespan, rule.needs) == (timedelta(minutes=15), 5)
    assert rule.aliases == {"amount": {"gift": "funding.amount.raw", "b": "value"}}
    assert ruleset.silent == frozenset()


def test_what_is_only_counted_is_silent(load: Load, rule_of: RuleOf) -> None:
    ruleset = load({"a.yml": rule_of({"f": 1}, name="gift"), "c.yml": many()})

    assert ruleset.silent == {"gift"}


def test_rules_and_correlations_may_share_a_file(load: Load) -> None:
    text = """\
title: Gift
name: gift
logsource: {product: funding, service: api}
detection: {selection: {f: x}, condition: selection}
---
title: Many
correlation: {type: event_count, rules: [gift], group-by: [w], timespan: 1h, condition: {gte: 2}}
"""
    ruleset = load({"gift.yml": text})

    assert [rule.name for rule in ruleset.rules] == ["gift"]
    assert [rule.name for rule in ruleset.correlations] == ["gift-2"]


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        pytest.param({"condition": {"lt": 3}}, "lt is not decidable yet", id="lt"),
        pytest.param({"condition": {"lte": 3}}, "lte is not decidable yet", id="lte"),
        pytest.param({"condition": {"eq": 3}}, "eq is not decidable yet", id="eq"),
        pytest.param({"condition": {"gt": 3, "lte": 9}}, "exactly one", id="range"),
        pytest.param({"condition": {"gte": 0}}, "always true", id="nothing"),
        pytest.param({"condition": {"gte": "many"}}, "many", id="no number"),
        pytest.param({"condition": "gift"}, "", id="text"),
        pytest.param({"condition": None}, "condition", id="no condition"),
        pytest.param({"type": "temporal"}, "temporal is not decidable yet", id="temporal"),
        pytest.param({"type": "value_sum"}, "", id="value_sum"),
        pytest.param({"type": "sum"}, "sum", id="no such type"),
        pytest.param({"type": "value_count"}, "field", id="value_count of nothing"),
        pytest.param({"rules": ["other"]}, "'other'", id="missing rule"),
        pytest.param({"rules": ["many-gifts"]}, "'many-gifts'", id="a correlation"),
        pytest.param({"rules": []}, "rules", id="no rules"),
        pytest.param({"timespan": "15"}, "15", id="no unit"),
        pytest.param({"timespan": None}, "timespan", id="no timespan"),
        pytest.param({"aliases": {"w": {"other": "f"}}}, "'other'", id="alias of no rule"),
    ],
)
def test_what_cannot_be_evaluated_is_told(
    keys: dict[str, object], reason: str, load: Load, rule_of: RuleOf
) -> None:
    ruleset = load({"a.yml": rule_of({"f": 1}, name="gift"), "c.yml": many(**keys)})

    (problem,) = ruleset.failed
    assert problem.path.name == "c.yml"
    assert reason in problem.message
    assert [rule.name for rule in ruleset.rules] == ["gift"]


def test_a_correlation_of_a_broken_rule_is_told(load: Load, rule_of: RuleOf) -> None:
    ruleset = load({"a.yml": rule_of({"f|foo": 1}, name="gift"), "c.yml": many()})

    assert [problem.path.name for problem in ruleset.failed] == ["a.yml", "c.yml"]
