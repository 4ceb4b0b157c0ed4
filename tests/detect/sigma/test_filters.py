"""A filter takes hits away from the rules that it names, and from no others."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from soc.detect.sigma.cache import RuleCache
from soc.detect.sigma.load import load_rules
from soc.detect.sigma.ruleset import Ruleset

Load = Callable[..., Ruleset]
RuleOf = Callable[..., dict[str, Any]]
SHOP = {"product": "shop", "service": "audit"}
ADMIN = {"user": "admin"}


def filter_of(rules: object, logsource: object = SHOP, **keys: object) -> dict[str, Any]:
    inside = {"rules": rules, "selection": ADMIN, "condition": "not selection"} | keys
    return {"title": "Filter", "logsource": logsource, "filter": inside}


def hits(ruleset: Ruleset, **event: object) -> list[str]:
    return [hit.rule.name for hit in ruleset.match(event).hits]


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        pytest.param("any", [], id="any"),
        pytest.param(["one"], ["two"], id="by name"),
        pytest.param("one", ["two"], id="one name"),
        pytest.param(["5f0d6a5c-3b1d-4c53-8a0a-0123456789ab"], ["one"], id="by id"),
        pytest.param(["one", "two"], [], id="several"),
    ],
)
def test_a_filter_is_for_the_rules_that_it_names(
    load: Load, rule_of: RuleOf, rules: object, left: list[str]
) -> None:
    two = rule_of({"f": "x"}, name="two", id="5f0d6a5c-3b1d-4c53-8a0a-0123456789ab")
    ruleset = load({"one.yml": rule_of({"f": "x"}), "two.yml": two, "z.yml": filter_of(rules)})

    assert ruleset.failed == ()
    assert hits(ruleset, f="x", user="admin") == left
    assert hits(ruleset, f="x", user="else") == ["one", "two"]
    assert hits(ruleset, f="x") == ["one", "two"]


@pytest.mark.parametrize(
    ("logsource", "is_filtered"),
    [
        pytest.param(SHOP, True, id="the same"),
        pytest.param({"product": "shop"}, True, id="wider"),
        pytest.param({"product": "shop", "service": "other"}, False, id="another"),
        pytest.param({**SHOP, "category": "orders"}, False, id="narrower"),
    ],
)
def test_a_filter_is_for_its_log_source_alone(
    load: Load, rule_of: RuleOf, logsource: object, is_filtered: bool
) -> None:
    ruleset = load({"one.yml": rule_of({"f": "x"}), "z.yml": filter_of("any", logsource)})

    assert (hits(ruleset, f="x", user="admin") == []) is is_filtered
    assert [problem.message for problem in ruleset.failed] == (
        [] if is_filtered else ["no rule is for the log source of this filter"]
    )


def test_several_filters_are_put_on_one_rule_and_it_says_which(load: Load, rule_of: RuleOf) -> None:
    files = {
        "one.yml": rule_of({"f": "x"}),
        "admins.yml": filter_of("any"),
        "night.yml": filter_of("one", selection={"hour": 3}),
    }

    ruleset = load(files)

    assert ruleset.rules[0].filters == ("admins", "night")
    assert [hits(ruleset, f="x", **more) for more in (ADMIN, {"hour": 3}, {"hour": 4})] == [
        [],
        [],
        ["one"],
    ]


@pytest.mark.parametrize(
    ("written", "line", "reason"),
    [
        pytest.param(
            "title: x\nlogsource: {product: p}\nfilter: {selection: {a: 1}, condition: not selection}\n",
            3,
            "names its rules",
            id="no rules",
        ),
        pytest.param(
            "title: x\nlogsource: {product: p}\nfilter:\n  rules: 5\n  selection: {a: 1}\n  condition: not selection\n",
            4,
            "names its rules",
            id="rules that are none",
        ),
        pytest.param(
            "title: x\nlogsource: {product: p}\nfilter:\n  rules: any\n  condition: not a\n",
            5,
            "a filter needs selections",
            id="no selections",
        ),
        pytest.param(
            "title: x\nlogsource: {product: p}\nfilter:\n  rules: any\n  a: {b: 1}\n",
            3,
            "a filter needs a condition",
            id="no condition",
        ),
        pytest.param(
            "title: x\nfilter: {rules: any, a: {b: 1}, condition: not a}\n",
            1,
            "a rule needs a logsource",
            id="no logsource",
        ),
        pytest.param(
            "title: x\nlogsource: {product: p}\nfilter: [any]\n", 3, "filter", id="no map"
        ),
        pytest.param(
            "title: x\nlogsource: {product: shop}\nfilter: {rules: [gone], a: {b: 1}, condition: not a}\n",
            1,
            "'gone' is neither name nor id",
            id="a rule that is not there",
        ),
        pytest.param(
            "title: x\nlogsource: {product: else}\nfilter: {rules: [one], a: {b: 1}, condition: not a}\n",
            1,
            "for another log source",
            id="a rule of another log source",
        ),
    ],
)
def test_a_filter_that_is_for_nothing_is_told_and_stops_no_rule(
    load: Load, rule_of: RuleOf, written: str, line: int, reason: str
) -> None:
    ruleset = load({"one.yml": rule_of({"f": "x"}), "z.yml": written})

    (problem,) = ruleset.failed
    assert (problem.path.name, problem.line) == ("z.yml", line)
    assert reason in problem.message
    assert hits(ruleset, f="x", user="admin") == ["one"]


def test_filters_are_found_again(load: Load, rule_of: RuleOf, tmp_path: Path) -> None:
    load({"one.yml": rule_of({"f": "x"}), "z.yml": filter_of("any")})

    for _ in range(2):
        ruleset = load_rules([tmp_path], (), RuleCache(tmp_path / "cache"))
        assert hits(ruleset, f="x", user="admin") == []
