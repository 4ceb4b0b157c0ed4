"""Correlations as they are written."""

from collections.abc import Callable
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest

from soc.detect.sigma.predicate import Order
from soc.detect.sigma.rule import CountKind
from soc.detect.sigma.ruleset import Ruleset
from soc.detect.sigma.threshold import Bounds, Expression, Way

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
    assert rule.timespan == timedelta(minutes=15)
    assert rule.condition == Bounds(((Order.GT, Fraction(4)),))
    assert rule.aliases == {"amount": {"gift": "funding.amount.raw", "b": "value"}}
    assert ruleset.silent == frozenset()


@pytest.mark.parametrize(
    ("condition", "bounds"),
    [
        pytest.param({"gt": 1, "lte": 9}, [(Order.GT, 1), (Order.LTE, 9)], id="range"),
        pytest.param({"neq": 5}, [(Order.NEQ, 5)], id="neq"),
        pytest.param({"gte": 0.1}, [(Order.GTE, Fraction("0.1"))], id="decimal"),
        pytest.param({"gte": 10**30}, [(Order.GTE, 10**30)], id="beyond a float"),
        pytest.param({"gte": "7.25"}, [(Order.GTE, Fraction("7.25"))], id="decimal text"),
    ],
)
def test_bounds_are_exact(
    condition: dict[str, object],
    bounds: list[tuple[Order, Fraction]],
    load: Load,
    rule_of: RuleOf,
) -> None:
    written = many(type="value_sum", condition=condition | {"field": "f"})

    ruleset = load({"a.yml": rule_of({"f": 1}, name="gift"), "c.yml": written})

    assert ruleset.failed == ()
    assert ruleset.correlations[0].condition == Bounds(tuple(bounds))


def test_a_temporal_condition_may_be_a_text(load: Load, rule_of: RuleOf) -> None:
    """Names are what rules are called by, hyphens and all; ``rules`` is then not needed."""
    written = many(type="temporal", rules=None, condition="gift and not (b or late-one)")
    rules = {f"{name}.yml": rule_of({"f": 1}, name=name) for name in ("gift", "b", "late-one")}

    ruleset = load({**rules, "c.yml": written})

    (rule,) = ruleset.correlations
    way = Way(frozenset({"gift"}), frozenset({"b", "late-one"}))
    assert ruleset.failed == ()
    assert rule.rules == ("gift", "b", "late-one")
    assert rule.condition == Expression((way,))


def test_correlations_may_count_correlations(load: Load, rule_of: RuleOf) -> None:
    """In whatever order they are written; those that count each other are told."""
    outer = many(rules=["many-gifts"])
    outer["name"] = "again"
    loop = [many(rules=[other]) | {"name": name} for name, other in (("x", "y"), ("y", "x"))]
    files = {"a.yml": outer, "b.yml": many(), "d.yml": rule_of({"f": 1}, name="gift")}

    ruleset = load({**files, "x.yml": loop[0], "y.yml": loop[1]})

    assert [one.name for one in ruleset.correlations] == ["many-gifts", "again"]
    assert ruleset.silent == {"gift", "many-gifts"}
    assert [problem.path.name for problem in ruleset.failed] == ["x.yml", "y.yml"]


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
        pytest.param({"condition": {"lt": 0}}, "never true", id="less than nothing"),
        pytest.param({"condition": {"eq": 2.5}}, "never true", id="half an event"),
        pytest.param({"condition": {"gt": 9, "lt": 3}}, "never true", id="empty range"),
        pytest.param({"condition": {"field": "f"}}, "one or two", id="no operator"),
        pytest.param({"condition": {"gte": 3, "field": "f"}}, "no field", id="field of a count"),
        pytest.param({"condition": {"gte": 3, "max": 1}}, "'max'", id="unknown in condition"),
        pytest.param({"within": "5m"}, "'within'", id="unknown key"),
        pytest.param({"condition": {"gte": 0}}, "always true", id="nothing"),
        pytest.param({"condition": {"gte": "many"}}, "many", id="no number"),
        pytest.param({"condition": "gift"}, "", id="text"),
        pytest.param({"condition": None}, "condition", id="no condition"),
        pytest.param({"type": "value_sum"}, "needs one field", id="value_sum of nothing"),
        pytest.param(
            {"type": "value_avg", "condition": {"gt": 1, "field": ["f", "g"]}},
            "needs one field",
            id="two fields",
        ),
        pytest.param(
            {"type": "value_percentile", "condition": {"gt": 1, "field": "f"}},
            "percentile: 95",
            id="which percentile",
        ),
        pytest.param(
            {"type": "value_median", "condition": {"gt": 1, "field": "f", "percentile": 9}},
            "has no percentile",
            id="percentile of another",
        ),
        pytest.param(
            {"type": "temporal", "condition": "gift and other"}, "'other'", id="unknown in text"
        ),
        pytest.param(
            {"type": "temporal", "condition": "gift and not gift"}, "never true", id="contradiction"
        ),
        pytest.param(
            {"type": "temporal", "condition": "1 of gift*"}, "brackets", id="selector in text"
        ),
        pytest.param(
            {"type": "temporal_ordered", "condition": "not gift"}, "no order", id="not in order"
        ),
        pytest.param({"type": "sum"}, "sum", id="no such type"),
        pytest.param({"type": "value_count"}, "field", id="value_count of nothing"),
        pytest.param({"rules": ["other"]}, "'other'", id="missing rule"),
        pytest.param({"rules": ["many-gifts"]}, "'many-gifts'", id="itself"),
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
