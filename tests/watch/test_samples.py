"""Samples are counted exactly, and shown to all other rules too."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from soc import plugins
from soc.ingest.parse import Intake
from soc.watch import samples
from soc.watch.crossfire import cross

INTAKE = Intake({name: kind() for name, kind in plugins.load("soc.parsers").items()})
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a rule that looks for one action, and its samples; return the file of samples."""

    def make(slug: str, action: str, *given: dict[str, Any], more: Iterable[Any] = ()) -> Path:
        detection = {"acts": {"event.action": action}, "condition": "acts"}
        source = {"product": "shop", "service": "audit"}
        rule = {"title": slug, "name": slug, "logsource": source, "detection": detection}
        (tmp_path / f"{slug}.yml").write_text(yaml.safe_dump_all([rule, *more]))
        file = tmp_path / f"{slug}.test.yml"
        layout = {"schema": "commonwatch.rule-test/1", "rule": slug, "samples": list(given)}
        file.write_text(yaml.safe_dump(layout))
        return file

    return make


def sample(name: str, hits: object, action: str = "buy", **keys: Any) -> dict[str, Any]:
    event = {"event": {"dataset": "shop.audit", "action": action}, "user": {"name": "u"}}
    shown = {key: keys.pop(key) for key in ("repeat", "every", "vary") if key in keys}
    return {"name": name, "hits": hits, "events": [{"event": event, **shown}], **keys}


def problems(path: Path) -> list[str]:
    return [one.problem for one in samples.run(path, INTAKE)]


def test_a_whole_number_is_compared_exactly(write: Write) -> None:
    exact = sample("three", 3, repeat=3)
    wrong = sample("two", 3, repeat=2)
    none = sample("none", 0, action="look")

    found = problems(write("buys", "buy", exact, wrong, none))

    assert found == ["", "is true 2 times and must be 3", ""]


def test_true_and_false_ask_only_whether(write: Write) -> None:
    path = write("buys", "buy", sample("many", hits=True, repeat=7), sample("one", hits=False))

    assert problems(path) == ["", "hits and must not"]


def test_a_correlation_counts_what_completes_it(write: Write) -> None:
    counts = {
        "title": "Buyers",
        "name": "buyers",
        "correlation": {
            "type": "value_count",
            "rules": ["buys"],
            "group-by": ["event.action"],
            "timespan": "1h",
            "condition": {"gte": 3, "field": "user.name"},
        },
    }
    five = sample("five buyers", 3, rule="buyers", repeat=5, vary=["user.name"])
    same = sample("one buyer", 0, rule="buyers", repeat=5)

    assert problems(write("buys", "buy", five, same, more=[counts])) == ["", ""]


@pytest.mark.parametrize("name", ["user.nam", "user", "event.dataset.x"])
def test_what_cannot_vary_is_a_mistake_of_the_file(write: Write, name: str) -> None:
    path = write("buys", "buy", sample("a", 1, vary=[name]), sample("b", 0, action="look"))

    assert f"vary names '{name}'" in problems(path)[0]


def test_a_sample_of_a_rule_that_is_not_there_is_told(write: Write) -> None:
    path = write("buys", "buy", sample("a", 1), sample("b", 0, rule="sells"))

    assert problems(path) == ["", "there is no rule 'sells' in its file"]


def test_an_event_that_no_parser_takes_is_no_clean_sample(write: Write) -> None:
    nonsense = {"name": "b", "hits": 0, "events": [{"event": "no line that anybody knows"}]}
    path = write("buys", "buy", sample("a", 1), nonsense)

    assert problems(path)[1].startswith("no parser takes an event of it")


def test_a_rule_that_fires_on_a_benign_sample_of_another_is_a_mistake(write: Write) -> None:
    write("buys", "buy", sample("buys", 1), sample("sells", 0, action="sell"))
    path = write("sells", "sell", sample("sells", 1, action="sell"), sample("looks", 0, "look"))

    crossings, mistakes = cross([path.parent], INTAKE)

    assert [(one.fires, one.rule, one.sample, one.benign) for one in crossings] == [
        ("sells", "buys", "sells", True)
    ]
    assert [one.problem for one in mistakes] == [
        "sells fires on it: mend that rule, or list it under also"
    ]


def test_on_a_sample_that_must_hit_others_may_fire(write: Write) -> None:
    write("buys", "buy", sample("buys", 1), sample("looks", 0, action="look"))
    path = write("buys-too", "buy", sample("buys", 1), sample("looks", 0, action="look"))

    crossings, mistakes = cross([path.parent], INTAKE)

    assert [(one.fires, one.benign) for one in crossings] == [("buys", False), ("buys-too", False)]
    assert mistakes == []


def test_what_is_explained_must_still_fire(write: Write) -> None:
    explained = sample("sells", 0, action="sell", also=["sells", "looks"])
    write("buys", "buy", sample("buys", 1), explained)
    path = write("sells", "sell", sample("sells", 1, action="sell"), sample("looks", 0, "look"))

    crossings, mistakes = cross([path.parent], INTAKE)

    assert [one.explained for one in crossings] == [True]
    assert [one.problem for one in mistakes] == [
        "looks does not fire on it any more: take it out of also"
    ]
