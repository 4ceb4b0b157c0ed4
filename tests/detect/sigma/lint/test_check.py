"""Each finding about rules that load: at its line, in the words its author reads."""

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from soc.content.folders import packaged
from soc.detect.sigma.attack import mistake_in, techniques
from soc.detect.sigma.lint.check import check
from soc.detect.sigma.load import load_rules

HEAD = "title: Rule\nlogsource: {product: shop}\n"
Check = Callable[..., list[str]]


@pytest.fixture
def findings(tmp_path: Path) -> Check:
    """Write files, given as texts by name; return what is said of them, without the folder."""

    def ask(**files: str) -> list[str]:
        for name, text in files.items():
            (tmp_path / f"{name.replace('__', '.')}.yml").write_text(text, encoding="utf-8")
        found = check([tmp_path], load_rules([tmp_path]))
        return [str(one).replace(f"{tmp_path}/", "").replace(f"{tmp_path}:", ":") for one in found]

    return ask


def rule(detection: str, head: str = HEAD) -> str:
    """Return a rule of ours whose detection begins at line 5, with samples not yet there."""
    return f"{head}soc: {{owner: team}}\ndetection:\n{detection}"


def of(found: list[str]) -> list[str]:
    """Return *found* without the line about missing samples."""
    return [one for one in found if "samples" not in one]


def test_the_packaged_rules_are_without_a_finding() -> None:
    folder = packaged("rules")

    assert check([folder], load_rules([folder])) == []


def test_a_rule_that_cannot_be_loaded_is_an_error(findings: Check) -> None:
    found = findings(a=rule("  sel: {f: x}\n  condition: sle\n"))

    assert found == ["a.yml:6: the condition names 'sle', which is no selection here"]


@pytest.mark.parametrize("written", ["12", "my-rule", "2026-01-01"])
def test_an_id_that_is_no_uuid_is_an_error_with_its_line(findings: Check, written: str) -> None:
    found = findings(a=rule("  sel: {f: x}\n  condition: sel\n", f"id: {written}\n{HEAD}"))

    assert found == ["a.yml:1: Sigma rule identifier must be an UUID"]


def test_two_rules_with_one_id_are_an_error(findings: Check) -> None:
    head = f"id: {uuid4()}\n{HEAD}"

    found = findings(
        a=rule("  sel: {f: x}\n  condition: sel\n", head),
        b=rule("  sel: {f: y}\n  condition: sel\n", head),
    )

    assert of(found) == ["b.yml:1: the id is also that of a.yml:1: give each rule its own"]


def test_two_rules_that_ask_the_same_are_a_warning(findings: Check) -> None:
    text = rule("  sel: {f: x}\n  condition: sel\n")

    found = findings(a=text, b=text, c=text.replace("shop", "bank"))

    assert of(found) == ["b.yml:4: warning: asks the same as a.yml:1: one of them is enough"]


@pytest.mark.parametrize(
    ("tag", "reason"),
    [
        ("attack.t1110", None),
        ("attack.T1110.001", None),
        ("attack.credential-access", None),
        ("attack.g0016", None),
        ("aadapt.adt3021.003", None),
        ("cve.2026-1", None),
        ("attack.t9999", "ATT&CK 19 has no technique T9999: look it up at attack.mitre.org"),
        ("attack.t1110.999", "ATT&CK 19 has no technique T1110.999: look it up"),
        ("attack.t1110.1", "ATT&CK 19 has no technique T1110.1: look it up"),
        ("attack.t1070.001", "ATT&CK 19 revoked T1070.001: write attack.t1685.005"),
        ("attack.defense-evasion", "ATT&CK 19 has no tactic 'defense-evasion': known are collec"),
        ("aadapt.3021", "'aadapt.3021' is no technique of AADAPT: write aadapt.adt3001 or"),
    ],
)
def test_tags_name_what_there_is(tag: str, reason: str | None) -> None:
    found = mistake_in(tag)

    assert found is None if reason is None else found and found.startswith(reason)


def test_the_list_of_techniques_is_whole() -> None:
    """Counted by MITRE: 222 techniques with 475 sub-techniques in version 19."""
    subs = {name for name in techniques() if "." in name}

    assert (len(techniques() - subs), len(subs)) == (222, 475)
    assert {name.partition(".")[0] for name in subs} <= techniques() - subs


def test_a_mistaken_tag_is_told_at_its_line(findings: Check) -> None:
    head = f"{HEAD}tags:\n  - attack.t1110\n  - attack.t1562.001\n"

    found = findings(a=rule("  sel: {f: x}\n  condition: sel\n", head))

    assert of(found) == ["a.yml:5: warning: ATT&CK 19 revoked T1562.001: write attack.t1685"]


@pytest.mark.parametrize(
    ("condition", "left"),
    [
        ("one", ["two", "_three"]),
        ("one and not two and _three", []),
        ("1 of them", ["_three"]),
        ("all of t* or one", ["_three"]),
        ("1 of _t* or one or two", []),
    ],
)
def test_selections_that_no_condition_uses_are_told(
    findings: Check, condition: str, left: list[str]
) -> None:
    selections = "  one: {f: x}\n  two: {f: y}\n  _three: {f: z}\n"
    lines = {"one": 5, "two": 6, "_three": 7}

    found = findings(a=rule(f"{selections}  condition: {condition}\n"))

    assert of(found) == [
        f"a.yml:{lines[name]}: warning: the condition does not use the selection {name!r}: "
        "use it or take it out"
        for name in left
    ]


@pytest.mark.parametrize(
    ("detection", "possible"),
    [
        ("  a: {f: x}\n  b: {f: x}\n  condition: a and not b\n", False),
        ("  a: {f: x}\n  b: {F: X}\n  condition: a and not b\n", False),
        ("  a: {f: x}\n  b: {f: [x, y]}\n  condition: a and not b\n", False),
        ("  a: {f: [x, y]}\n  b: {f: x}\n  condition: a and not b\n", True),
        ("  a: {f: x, g: y}\n  b: {f: x}\n  condition: a and not b\n", False),
        ("  a: {f: x}\n  b: {f: x, g: y}\n  condition: a and not b\n", True),
        ("  a: {f: x}\n  b: {f: y}\n  condition: a and b\n", True),  # a list has both
        ("  a: {f|contains: xyz}\n  b: {f|startswith: xyz}\n  condition: a and not b\n", True),
        ("  a: {f|re: x+}\n  b: {f|re: x+}\n  condition: a and not b\n", False),
        ("  a: {f|exists: true}\n  b: {f|exists: false}\n  condition: a and b\n", False),
        ("  a: {f|exists: true}\n  b: {f|exists: false}\n  condition: a or b\n", True),
        ("  a: {f: null}\n  b: {f: null}\n  condition: a and not b\n", False),
        ("  a: [words]\n  b: [words]\n  condition: a and not b\n", False),
        ("  a: {f|fieldref: g}\n  b: {f|fieldref: g}\n  condition: a and not b\n", False),
        ("  a: {f|fieldref: g}\n  b: {g|fieldref: f}\n  condition: a and not b\n", True),
        ("  a: {f: x}\n  b: {g: y}\n  condition: (a or b) and not a and not b\n", False),
        ("  a: {f: x}\n  b: {g: y}\n  condition: (a or b) and not a\n", True),
        ("  a: {f: x}\n  b: {g: y}\n  condition: not (a or b) and (a or b)\n", False),
        ("  a: {f|gt: 3}\n  b: {f|gt: 3}\n  condition: a and not b\n", False),
    ],
)
def test_a_condition_that_can_never_be_true_is_an_error(
    findings: Check, detection: str, *, possible: bool
) -> None:
    found = of(findings(a=rule(detection)))

    line = detection.count("\n") + 4
    never = f"a.yml:{line}: the condition can never be true: something must hold and must not hold"
    assert found == ([] if possible else [never])


def test_a_condition_that_is_too_tangled_is_told_and_never_called_clean(findings: Check) -> None:
    """It is never true, but there are 2 to the power of 40 ways to try."""
    pairs = "".join(f"  a{n}: {{f: [x{n}, y{n}]}}\n" for n in range(40))
    knot = "(p or q) and (p or not q) and (not p or q) and (not p or not q)"

    found = findings(
        a=rule(f"{pairs}  p: {{g: v}}\n  q: {{g: w}}\n  condition: all of a* and {knot}\n")
    )

    assert of(found) == [
        "a.yml:47: warning: nobody can tell whether the condition is ever true: simplify it"
    ]


@pytest.mark.parametrize(
    ("selection", "reason"),
    [
        ("{f: '*'}", "* is every value: write f|exists: true"),
        ("{f|contains: '*'}", "* is every value: write f|exists: true"),
        ("['*']", "* is every event that has a value: write what is looked for"),
        ("{f|contains: ab}", "'ab' is found in nearly every value: write more of it"),
        ("{f: '*a*'}", "'a' is found in nearly every value: write more of it"),
        ("[{g: x}, {f|contains: ab}]", "'ab' is found in nearly every value: write more of it"),
        ("{f|re: '.*abc.*'}", "leave out .* at both ends: an expression is found anywhere in a v"),
        ("{f|re|i: '(?m).*abc.*'}", "leave out .* at both ends: an expression is found anywhere"),
        ("{f|contains: abc}", None),
        ("{f|contains: '::'}", None),
        ("{f|startswith: ab}", None),
        ("{f: ab}", None),
        ("{f|base64offset|contains: ab}", None),
        ("{f|re: '.*abc'}", None),
        ("{f|re: '.*abc\\.*'}", None),
    ],
)
def test_patterns_that_cost_much_and_say_little_are_told(
    findings: Check, selection: str, reason: str | None
) -> None:
    found = of(findings(a=rule(f"  sel: {selection}\n  condition: sel\n")))

    assert len(found) == (reason is not None)
    assert all(one.startswith(f"a.yml:5: warning: {reason}") for one in found)


def test_samples_are_missed_of_ones_own_rules_by_name(findings: Check) -> None:
    ours = rule("  sel: {f: x}\n  condition: sel\n")

    found = findings(a=ours, b=ours.replace("f: x", "f: y"), b__test="schema: x\n")

    assert found == ["a.yml:1: warning: has no samples: write a.test.yml beside it"]


def test_samples_of_others_are_missed_in_one_line(findings: Check) -> None:
    theirs = rule("  sel: {f: x}\n  condition: sel\n").replace("soc: {owner: team}\n", "")

    found = findings(a=theirs, b=theirs.replace("f: x", "f: y"))

    assert found == [":1: warning: 2 rules have no samples (*.test.yml) beside it"]
