"""Rule files: what is read, and how each mistake is told."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from soc.detect.sigma.load import load_rules
from soc.detect.sigma.ruleset import Ruleset
from soc.errors import Refused

Load = Callable[..., Ruleset]

HEAD = "title: Rule\nlogsource: {product: shop, service: audit}\n"
GOOD = HEAD + "detection: {selection: {f: x}, condition: selection}\n"


def detect(selection: str, condition: str = "selection") -> str:
    """Return a rule whose selection begins at line 5 and whose condition is the last line."""
    return f"{HEAD}detection:\n  selection:\n{selection}\n  condition: {condition}\n"


def test_a_rule_is_read_whole(load: Load, tmp_path: Path) -> None:
    text = """\
id: 6f7f1c0b-5c46-4c0f-8f62-0e9a3d0e3a11
name: Gift-Flood
title: Many gifts
status: test
level: high
author: Ada Example
license: CC0-1.0
date: 2026-01-02
tags: [attack.t1499, attack.impact]
logsource: {product: funding, service: api, definition: any}
soc: {owner: trust, reviewed: 2026-02-03, entity: wallet.address, bucket: 2h, response: limit}
detection:
  gifts: {event.action: donate}
  small: {funding.amount.raw|lt: 10}
  condition: gifts and small
"""
    ruleset = load({"some.yml": text})

    (rule,) = ruleset.rules
    assert ruleset.failed == ()
    assert (rule.id, rule.name) == ("6f7f1c0b-5c46-4c0f-8f62-0e9a3d0e3a11", "gift-flood")
    assert (rule.title, rule.status, rule.level) == ("Many gifts", "test", "high")
    assert (rule.author, rule.licence) == ("Ada Example", "CC0-1.0")
    assert rule.tags == ("attack.t1499", "attack.impact")
    assert rule.logsource == (None, "funding", "api")
    assert rule.selections == ("gifts", "small")
    assert (rule.extras.owner, rule.extras.reviewed) == ("trust", "2026-02-03")
    assert (rule.extras.entity, rule.extras.bucket) == ("wallet.address", "2h")
    assert rule.extras.response == "limit"
    assert rule.path == tmp_path / "some.yml"
    assert rule.digest == hashlib.sha256(text.encode()).hexdigest()


def test_what_a_rule_does_not_say_is_empty_not_guessed(load: Load) -> None:
    (rule,) = load({"Proc Creation.yml": GOOD}).rules

    assert (rule.id, rule.author, rule.licence, rule.level, rule.tags) == ("", "", "", "", ())
    assert rule.name == "proc-creation"
    assert rule.severity == "medium"


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        pytest.param("a: [1\nb: 2", 2, "not YAML", id="no YAML"),
        pytest.param("a: !!python/name:os.system x", 1, "not YAML", id="a tag"),
        pytest.param("", 1, "empty", id="empty"),
        pytest.param("- a\n- b", 1, "a map of keys", id="a list"),
        pytest.param("title: x\ntitle: y\n", 2, "'title' is here twice", id="key twice"),
        pytest.param(
            detect("    f|contains: x\n    f|contains: y"), 6, "here twice", id="field twice"
        ),
        pytest.param(GOOD.replace("title: Rule\n", ""), 1, "title", id="no title"),
        pytest.param(GOOD + "level: urgent\n", 4, "urgent", id="no such level"),
        pytest.param(GOOD + "id: '17'\n", 4, "UUID", id="no UUID"),
        pytest.param(GOOD + "date: soon\n", 4, "soon", id="no date"),
        pytest.param(GOOD + "soc: {owners: me}\n", 4, "'owners'", id="unknown key in soc"),
        pytest.param(GOOD + "soc: [me]\n", 4, "soc", id="soc is no map"),
        pytest.param(
            "title: x\ndetection: {s: {f: x}, condition: s}\n", 1, "logsource", id="nowhere"
        ),
        pytest.param("title: x\nlogsource: {product: a}\n", 1, "detection", id="no detection"),
        pytest.param(HEAD + "detection: [x]\n", 3, "detection", id="detection is a list"),
        pytest.param(HEAD + "detection: {s: {f: x}}\n", 3, "condition", id="no condition"),
        pytest.param(HEAD + "detection:\n  condition: s\n", 4, "selections", id="no selection"),
        pytest.param(detect("    f|foo: x"), 5, "unknown modifier 'foo'", id="unknown modifier"),
        pytest.param(detect("    g: x\n    f|re: '(?<=a)b'"), 6, "linear time", id="lookbehind"),
        pytest.param(detect("    f|re: '(?!a)b'"), 5, "linear time", id="lookahead"),
        pytest.param(detect(r"    f|re: '(a)\1'"), 5, "linear time", id="back reference"),
        pytest.param(detect("    f|re: '(a'"), 5, "invalid", id="broken expression"),
        pytest.param(detect("    f|re: 5"), 5, "quotes", id="expression is a number"),
        pytest.param(detect("    f|expand: '%admins%'"), 5, "%admins%", id="placeholder"),
        pytest.param(detect("    f|cidr: 192.0.2.1/24"), 5, "CIDR", id="broken network"),
        pytest.param(detect("    f|gt: many"), 5, "incompatible", id="gt of text"),
        pytest.param(detect("    f|exists: x"), 5, "incompatible", id="exists of text"),
        pytest.param(detect("    f|base64: 'a*'"), 5, "wildcards", id="encoded wildcard"),
        pytest.param(detect("    f|base64offset|contains: a"), 5, "too short", id="short Base64"),
        pytest.param(detect("    f|windash: -a -b -c -d -e -f"), 5, "dashes", id="many dashes"),
        pytest.param(detect("    f: {g: x}"), 5, "Unsupported type", id="map in a field"),
        pytest.param(detect("    {}"), 4, "empty", id="empty selection"),
        pytest.param(detect("    '|exists': true"), 5, "field", id="exists of nothing"),
        pytest.param(detect("    f: x", "other"), 6, "'other'", id="missing selection"),
        pytest.param(detect("    f: x", "1 of other_*"), 6, "other_*", id="missing pattern"),
        pytest.param(detect("    f: x", "selection and"), 6, "", id="broken condition"),
        pytest.param(
            detect("    f: x", "selection | count() > 5"), 6, "pipe", id="old aggregation"
        ),
        pytest.param(detect("    f: x", "5"), 6, "text", id="condition is a number"),
        pytest.param(detect("    f: x", "[]"), 6, "text", id="no conditions"),
        pytest.param("action: global\ntitle: x\n", 1, "'action'", id="action"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_stops_nothing(
    text: str, line: int, reason: str, load: Load, tmp_path: Path
) -> None:
    ruleset = load({"a.yml": text, "b.yml": GOOD})

    (problem,) = ruleset.failed
    assert (problem.path, problem.line) == (tmp_path / "a.yml", line)
    assert reason in problem.message
    assert [rule.name for rule in ruleset.rules] == ["b"]


def test_what_aliases_make_huge_is_refused(load: Load) -> None:
    layers = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 9)]

    ruleset = load({"a.yml": "\n".join(["l0: &l0 [x]", *layers]), "b.yml": "a: &x {b: *x}"})

    assert [problem.path.name for problem in ruleset.failed] == ["a.yml", "b.yml"]


def test_all_mistakes_of_a_rule_are_told(load: Load) -> None:
    text = f"level: urgent\nstatus: new\n{detect('    f|foo: x')}"

    (problem,) = load({"a.yml": text}).failed

    assert problem.line == 1
    assert all(word in problem.message for word in ("urgent", "new", "foo"))


def test_what_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_bytes(b"title: \xff\n")
    missing = tmp_path / "missing"

    ruleset = load_rules([tmp_path, missing])

    assert [problem.path.name for problem in ruleset.failed] == ["a.yml", "missing"]


def test_a_file_may_hold_several_rules(load: Load) -> None:
    second = GOOD.replace("title: Rule", "title: Second")
    broken = GOOD.replace("condition: selection", "condition: nothing")

    ruleset = load({"many.yml": f"---\n{GOOD}---\n{second}---\n{broken}---\n"})

    assert [(rule.name, rule.title) for rule in ruleset.rules] == [
        ("many-1", "Rule"),
        ("many-2", "Second"),
    ]
    assert len({rule.digest for rule in ruleset.rules}) == 2
    assert [problem.line for problem in ruleset.failed] == [12]


def test_folders_are_read_to_their_depth_and_files_once(load: Load, tmp_path: Path) -> None:
    files = {"a/b/one.yml": GOOD, "two.yaml": GOOD + "level: low\n", "readme.md": "no rule"}
    load(files)

    ruleset = load_rules([tmp_path, tmp_path / "a", tmp_path / "a/b/one.yml"])

    assert sorted(rule.name for rule in ruleset.rules) == ["one", "two"]
    assert ruleset.failed == ()


def test_files_with_one_name_keep_both_their_rules(load: Load) -> None:
    ruleset = load({"a/same.yml": GOOD, "b/same.yml": GOOD + "level: low\n"})

    first, second = (rule.name for rule in ruleset.rules)
    assert first == "same"
    assert second == f"same-{ruleset.rules[1].digest[:8]}"


def test_a_name_that_is_taken_is_a_mistake(load: Load) -> None:
    ruleset = load({"a.yml": GOOD + "name: one\n", "b.yml": GOOD + "name: one\n"})

    assert len(ruleset.rules) == 1
    assert [(one.path.name, one.line) for one in ruleset.failed] == [("b.yml", 4)]


def test_an_unknown_pipeline_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        Refused,
        match="known are auditd, none, source-names, sysmon, windows-logsources, winlogbeat",
    ):
        load_rules([tmp_path], ["sysmom"])
