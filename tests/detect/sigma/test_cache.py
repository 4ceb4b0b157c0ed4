"""Compiled rules are found again, for as long as they are what the files say, and nobody else's."""

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import run
from typing import Any

import pytest
import yaml

from soc.detect.sigma.cache import RuleCache
from soc.detect.sigma.load import load_rules
from soc.detect.sigma.ruleset import Ruleset

LONG_AGO = 1_700_000_000_000_000_000
DETECTION = {
    "text": {"f|contains": ["x", "y"], "g|startswith": "z", "h|endswith|cased": "Q"},
    "pattern": {"f|re|i": "a.c$", "g": "*glob?*"},
    "number": {"n|gte": 10**15, "m": [1, 2.5, None, True]},
    "net": {"ip|cidr": ["10.0.0.0/8", "2001:db8::/32"], "e|exists": True, "a|fieldref": "b"},
    "day": {"t|hour": 3},
    "words": ["needleone", "two"],
    "condition": "text and not (pattern or number) or net or day or words",
}


@pytest.fixture
def rules(tmp_path: Path, rule_of: Callable[..., dict[str, Any]]) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    write(folder / "all.yml", rule_of(detection=DETECTION, name="all"))
    write(folder / "broken.yml", rule_of({"f|nonsense": 1}, name="broken"))
    return folder


def write(path: Path, rule: dict[str, Any], at: int = LONG_AGO) -> None:
    path.write_text(yaml.safe_dump(rule))
    os.utime(path, ns=(at, at))


def said(ruleset: Ruleset) -> tuple[Any, ...]:
    return ruleset.rules, ruleset.correlations, ruleset.failed, ruleset.pipelines


def test_what_is_found_again_is_what_was_compiled(rules: Path, tmp_path: Path) -> None:
    plain = load_rules([rules])

    for cache in (RuleCache(tmp_path / "c"), RuleCache(tmp_path / "c")):
        assert said(load_rules([rules], cache=cache)) == said(plain)
    assert [problem.line for problem in plain.failed] == [4]


def test_unchanged_files_need_no_pysigma(rules: Path, tmp_path: Path) -> None:
    load_rules([rules], cache=RuleCache(tmp_path / "c"))
    code = (
        "import sys; from pathlib import Path; from soc.detect.sigma.cache import RuleCache;"
        "from soc.detect.sigma.load import load_rules;"
        f"found = load_rules([Path({str(rules)!r})], cache=RuleCache(Path({str(tmp_path / 'c')!r})));"
        "print(len(found.rules), len(found.failed), 'sigma' in sys.modules)"
    )

    done = run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["1", "1", "False"]


@pytest.mark.parametrize("at", [LONG_AGO, LONG_AGO + 1, None])
def test_a_changed_file_is_compiled_anew(
    rules: Path, tmp_path: Path, rule_of: Callable[..., dict[str, Any]], at: int | None
) -> None:
    cache = RuleCache(tmp_path / "c")
    load_rules([rules], cache=cache)
    changed = rule_of({"f": "changed"}, name="all")
    path = rules / "all.yml"

    path.write_text(yaml.safe_dump(changed))
    if at is not None:
        os.utime(path, ns=(at, at))

    for again in (cache, RuleCache(tmp_path / "c")):
        assert load_rules([rules], cache=again).match({"f": "changed"}).hits


def test_few_changes_among_many_files_are_written_down_when_there_are_more(
    rules: Path, tmp_path: Path, rule_of: Callable[..., dict[str, Any]]
) -> None:
    for number in range(120):
        write(rules / f"r{number}.yml", rule_of({"f": f"old {number}"}, name=f"r{number}"))
    cache = RuleCache(tmp_path / "c")
    load_rules([rules], cache=cache)
    (kept,) = (tmp_path / "c").glob("rules-*.msgpack")
    written, is_rewritten = kept.read_bytes(), []

    for number in range(4):
        changed = rule_of({"f": f"new {number}"}, name=f"r{number}")
        write(rules / f"r{number}.yml", changed, LONG_AGO + 1)
        for again in (cache, RuleCache(tmp_path / "other")):
            found = load_rules([rules], cache=again)
            assert found.match({"f": f"new {number}"}).hits
            assert not found.match({"f": f"old {number}"}).hits
        is_rewritten.append(kept.read_bytes() != written)

    assert is_rewritten == [False, False, True, True]


def test_files_of_a_new_time_are_written_down_so_that_they_need_not_be_read_again(
    rules: Path, tmp_path: Path, rule_of: Callable[..., dict[str, Any]]
) -> None:
    for number in range(120):
        write(rules / f"r{number}.yml", rule_of({"f": f"{number}"}, name=f"r{number}"))
    load_rules([rules], cache=RuleCache(tmp_path / "c"))
    (kept,) = (tmp_path / "c").glob("rules-*.msgpack")
    written = kept.read_bytes()

    for path in rules.iterdir():
        os.utime(path, ns=(LONG_AGO + 1, LONG_AGO + 1))
    load_rules([rules], cache=RuleCache(tmp_path / "c"))
    again = kept.read_bytes()
    load_rules([rules], cache=RuleCache(tmp_path / "c"))

    assert again != written
    assert kept.read_bytes() == again


def test_a_file_of_just_now_is_read_though_its_time_and_size_are_the_same(
    rules: Path, tmp_path: Path, rule_of: Callable[..., dict[str, Any]]
) -> None:
    path = rules / "all.yml"
    path.write_text(yaml.safe_dump(rule_of({"f": "one"}, name="all")))
    about = path.stat()
    cache = RuleCache(tmp_path / "c")
    load_rules([rules], cache=cache)

    path.write_text(yaml.safe_dump(rule_of({"f": "two"}, name="all")))
    os.utime(path, ns=(about.st_mtime_ns, about.st_mtime_ns))

    assert load_rules([rules], cache=cache).match({"f": "two"}).hits


def test_a_rule_that_asks_for_a_list_is_compiled_anew_when_that_changes(
    rules: Path, tmp_path: Path, rule_of: Callable[..., dict[str, Any]]
) -> None:
    write(rules / "all.yml", rule_of({"f|expand": "%servers%"}, name="all"))
    cache = RuleCache(tmp_path / "c")

    def hits(*servers: str) -> int:
        ruleset = load_rules([rules], (), cache, lists={"servers": servers})
        return len(ruleset.match({"f": "two"}).hits)

    assert [hits("one"), hits("two"), hits("two"), hits("one")] == [0, 1, 1, 0]


def test_a_rule_that_did_not_change_stays_the_same(
    rules: Path, tmp_path: Path, rule_of: Callable[..., dict[str, Any]]
) -> None:
    cache = RuleCache(tmp_path / "c")
    load_rules([rules], cache=cache)
    (before,) = load_rules([rules], cache=cache).rules

    write(rules / "more.yml", rule_of({"f": "x"}, name="more"))

    assert load_rules([rules], cache=cache).rules[0] is before


def test_pipelines_are_kept_apart(
    rules: Path, tmp_path: Path, rule_of: Callable[..., dict[str, Any]]
) -> None:
    source = {"product": "windows", "category": "process_creation"}
    write(rules / "all.yml", rule_of({"f": "x"}, logsource=source))
    event = {"f": "x", "Channel": "other", "EventID": 1}
    cache = RuleCache(tmp_path / "c")

    hits = [len(load_rules([rules], names, cache).match(event).hits) for names in (None, (), None)]

    assert hits == [0, 1, 0]


def test_what_others_could_write_is_not_believed(rules: Path, tmp_path: Path) -> None:
    load_rules([rules], cache=RuleCache(tmp_path / "c"))
    (kept,) = (tmp_path / "c").glob("*.msgpack")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    kept.write_bytes(kept.read_bytes().replace(b"needleone", b"needleowe"))
    assert "needleowe" in str(
        load_rules([rules], cache=RuleCache(tmp_path / "c")).rules[0].condition
    )

    kept.chmod(0o622)

    assert "needleowe" not in str(
        load_rules([rules], cache=RuleCache(tmp_path / "c")).rules[0].condition
    )


@pytest.mark.parametrize("written", [b"", b"nonsense", b"\x80"])
def test_a_broken_cache_only_costs_time(rules: Path, tmp_path: Path, written: bytes) -> None:
    load_rules([rules], cache=RuleCache(tmp_path / "c"))
    (kept,) = (tmp_path / "c").glob("*.msgpack")
    kept.write_bytes(written)

    assert said(load_rules([rules], cache=RuleCache(tmp_path / "c"))) == said(load_rules([rules]))


def test_a_folder_that_cannot_be_written_only_costs_time(rules: Path, tmp_path: Path) -> None:
    (tmp_path / "c").write_text("a file is in the way")

    assert said(load_rules([rules], cache=RuleCache(tmp_path / "c"))) == said(load_rules([rules]))
