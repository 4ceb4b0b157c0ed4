from collections.abc import Callable
from typing import Any

from soc.detect.sigma.ruleset import Ruleset

Load = Callable[..., Ruleset]
RuleOf = Callable[..., dict[str, Any]]


def matched(ruleset: Ruleset, event: dict[str, Any]) -> list[tuple[str, str, str]]:
    (hit,) = ruleset.match(event).hits
    return [(match.selection, match.field, match.value) for match in hit.matched]


def test_a_hit_says_what_matched(load: Load, rule_of: RuleOf) -> None:
    detection = {
        "gift": {"event.action": "donate", "amount|lt": 10},
        "burst_a": {"ua|contains": ["bot", "curl"]},
        "burst_b": {"ua|re": "z$"},
        "word": ["needle"],
        "known": {"user": "alice"},
        "condition": "gift and 1 of burst_* and word and not known",
    }
    event = {
        "event": {"action": "Donate"},
        "amount": 3,
        "ua": ["Bot", "other"],
        "deep": {"text": "a needle"},
    }

    assert matched(load({"a.yml": rule_of(detection=detection)}), event) == [
        ("burst_a", "ua", "Bot"),
        ("gift", "amount", "3"),
        ("gift", "event.action", "Donate"),
        ("word", "deep.text", "a needle"),
    ]


def test_a_hit_says_nothing_of_what_did_not_hold_together(load: Load, rule_of: RuleOf) -> None:
    detection = {"a": {"x": 1}, "b": {"y": 1}, "c": {"z": 1}, "condition": "(a and b) or c"}

    assert matched(load({"a.yml": rule_of(detection=detection)}), {"x": 1, "z": 1}) == [
        ("c", "z", "1")
    ]


def test_null_exists_and_references_are_told(load: Load, rule_of: RuleOf) -> None:
    selection = {"a": None, "b|exists": True, "c|fieldref": "b"}

    assert matched(load({"a.yml": rule_of(selection)}), {"b": "x", "c": "X"}) == [
        ("selection", "a", "null"),
        ("selection", "b", "x"),
        ("selection", "c", "X"),
    ]


def test_what_pipelines_ask_is_not_told(load: Load, rule_of: RuleOf) -> None:
    rule = rule_of({"f": "x"}, logsource={"product": "windows", "service": "security"})

    assert matched(load({"a.yml": rule}, None), {"Channel": "Security", "f": "x"}) == [
        ("selection", "f", "x")
    ]


def test_long_values_are_cut(load: Load, rule_of: RuleOf) -> None:
    ((_, _, value),) = matched(load({"a.yml": rule_of({"f|contains": "x"})}), {"f": "x" * 5000})

    assert len(value) == 1024


def test_a_rule_that_cannot_be_evaluated_stops_no_other(load: Load, rule_of: RuleOf) -> None:
    ruleset = load({"a.yml": rule_of({"f|re": "x"}), "b.yml": rule_of({"g": "y"})})

    hits, errors = ruleset.match({"f": "\ud800", "g": "y"})

    assert [hit.rule.name for hit in hits] == ["b"]
    assert [failure.rule.name for failure in errors] == ["a"]
    assert "UnicodeEncodeError" in errors[0].reason


def test_hits_come_in_the_order_of_the_rules(load: Load, rule_of: RuleOf) -> None:
    ruleset = load({f"{name}.yml": rule_of({"f": "x"}) for name in "cab"})

    assert [hit.rule.name for hit in ruleset.match({"f": "x"}).hits] == ["a", "b", "c"]
