"""Placeholders stand for what a site's lists say, and nothing is guessed where no list does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from soc.detect.sigma.cache import RuleCache
from soc.detect.sigma.load import load_rules
from soc.detect.sigma.ruleset import Ruleset

Load = Callable[..., Ruleset]
RuleOf = Callable[..., dict[str, Any]]


def lists(**values: object) -> dict[str, Any]:
    return {"schema": "commonwatch.placeholders/1", "values": values}


@pytest.mark.parametrize(
    ("selection", "hits", "misses"),
    [
        pytest.param({"f|expand": "%admins%"}, ["Ann", "b*b"], ["bob", "%admins%", ""], id="whole"),
        pytest.param(
            {"f|expand|contains": "x%admins%y"}, ["-xANNy-"], ["ann", "xbobby"], id="part"
        ),
        pytest.param({"f|expand|cased": "%admins%"}, ["ann"], ["Ann"], id="cased"),
        pytest.param({"f|expand": ["%admins%", "else"]}, ["ann", "else"], ["x"], id="among others"),
        pytest.param(
            {"f|expand": "%admins%@%hosts%"}, ["ann@h1", "b*b@h2"], ["ann", "ann@h3"], id="two"
        ),
        pytest.param({"f|expand|endswith": ["%hosts%"]}, ["a.h1"], ["h1.a"], id="end"),
    ],
)
def test_a_placeholder_is_any_of_its_values(
    load: Load, rule_of: RuleOf, selection: object, hits: list[str], misses: list[str]
) -> None:
    known = lists(admins=["ann", "b*b"], hosts=["h1", "h2"])

    ruleset = load({"a.yml": rule_of(selection), "placeholders.yml": known})

    assert ruleset.failed == ()
    assert [text for text in [*hits, *misses] if ruleset.match({"f": text}).hits] == hits


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        pytest.param(
            lists(other=["x"]), "nothing says what the placeholder %admins%", id="unknown"
        ),
        pytest.param(lists(admins=[]), "admins: Tuple should have", id="an empty list"),
        pytest.param({"values": {"admins": ["a"]}}, "schema", id="no schema"),
        pytest.param(
            lists(admins=[str(n) for n in range(101)]),
            "10201 values of one",
            id="too many together",
        ),
    ],
)
def test_what_stands_for_nothing_is_told(
    load: Load, rule_of: RuleOf, values: object, reason: str
) -> None:
    rule = rule_of({"f|expand": "%admins%%admins%"})

    ruleset = load({"a.yml": rule, "b.yml": rule_of({"f": "x"}), "placeholders.yml": values})

    assert any(reason in problem.message for problem in ruleset.failed), ruleset.failed
    assert [rule.name for rule in ruleset.rules] == ["b"]


def test_a_changed_list_is_not_hidden_by_the_cache(rule_of: RuleOf, tmp_path: Path) -> None:
    rules, cache = tmp_path / "rules", RuleCache(tmp_path / "cache")
    rules.mkdir()
    (rules / "a.yml").write_text(yaml.safe_dump(rule_of({"f|expand": "%admins%"})))

    for name in ("ann", "bob", "ann"):
        (rules / "placeholders.yml").write_text(yaml.safe_dump(lists(admins=[name])))
        ruleset = load_rules([rules], (), cache)
        assert [n for n in ("ann", "bob") if ruleset.match({"f": n}).hits] == [name]
