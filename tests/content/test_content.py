"""Everything that is shipped loads, is tested, and breaks where its samples say."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

import soc
from soc import plugins
from soc.app import breaches
from soc.content.folders import files, packaged
from soc.content.kinds import load
from soc.detect.rules import Rules
from soc.detect.sigma.asked import fields_of
from soc.detect.sigma.load import load_rules
from soc.ingest.parse import Intake
from soc.respond import rehearsal
from soc.respond.expression import references
from soc.respond.playbook import read
from soc.respond.step import Step
from soc.settings import Detect
from soc.watch import samples
from soc.watch.crossfire import cross
from soc.watch.samples import Sample

RULES = packaged("rules")
PLAYBOOKS = sorted(files(packaged("playbooks")))
ACTIONS: dict[str, Any] = plugins.load("soc.actions")
INTAKE = Intake({name: kind() for name, kind in plugins.load("soc.parsers").items()})
SAMPLES = [
    (path, sample.rule or given.rule, sample)
    for path in samples.files(RULES)
    for given in [samples.read(path)]
    for sample in given.samples
]
"""Of each sample its file and the rule that it is for."""
RULESET = load_rules([RULES])
FUNDING_EVENT = Path(soc.__file__).parent / "content/schemas/funding-event.json"
UNANSWERED: dict[str, str] = {}
"""Grave rules of the funding pack that no playbook answers, each with its reason."""
SHUTS_OUT = {"wallet.quarantine", "wallet.weight", "account.suspend"}
GUESSING = {"qf-admin-bruteforce", "qf-password-spray", "console-bruteforce", "web-login-guessing"}
SCORES = {"wallet-anomaly", "account-anomaly"}
MODELS = {rule for kind in plugins.load("soc.detectors").values() for rule in kind(Detect()).rules}


def test_every_rule_loads() -> None:
    assert RULESET.failed == ()


def test_every_rule_has_a_sample_that_hits_and_two_that_do_not() -> None:
    counts = Counter((slug, sample.is_benign) for _, slug, sample in SAMPLES)

    few = {
        rule.name: (counts[rule.name, False], counts[rule.name, True])
        for rule in (*RULESET.rules, *RULESET.correlations)
        if counts[rule.name, False] < 1 or counts[rule.name, True] < 2
    }
    assert few == {}


def test_every_rule_of_the_funding_pack_is_about_events_of_the_published_format() -> None:
    """Its fields are named there, and so are dataset and action of what it hits."""
    schema = json.loads(FUNDING_EVENT.read_text())
    pack = load_rules([RULES / "funding"])
    known = {
        (_event(part["if"])["dataset"]["const"], action)
        for part in schema["allOf"]
        for action in _event(part["then"]["allOf"][0])["action"]["enum"]
    }
    hit = {
        (event.event["event"]["dataset"], event.event["event"]["action"])
        for path, _, sample in SAMPLES
        if path.parent.name == "funding" and not sample.is_benign
        for event in sample.events
        if isinstance(event.event, dict)
    }

    assert fields_of(pack) - set(pack.origin) <= set(_names(schema, schema["$defs"]))
    assert hit <= known


def _event(part: dict[str, Any]) -> dict[str, Any]:
    """Return what a part of the schema says of the fields of ``event``."""
    fields: dict[str, Any] = part["properties"]["event"]["properties"]
    return fields


def _names(part: dict[str, Any], defs: dict[str, Any], at: str = "") -> Iterator[str]:
    """Yield the dotted name of each field that a schema names."""
    part = part | defs.get(part.get("$ref", "").rpartition("/")[2], {})
    yield at
    for name, inner in part.get("properties", {}).items():
        yield from _names(inner, defs, f"{at}.{name}".lstrip("."))


@pytest.mark.parametrize("path", list(samples.files(RULES)), ids=lambda path: path.stem)
def test_every_sample_comes_out_as_it_says(path: Path) -> None:
    assert [result for result in samples.run(path, INTAKE) if result.problem] == []


@pytest.mark.parametrize(
    ("path", "slug", "sample"),
    [one for one in SAMPLES if one[2].is_benign],
    ids=[f"{slug}:{sample.name}" for _, slug, sample in SAMPLES if sample.is_benign],
)
def test_a_benign_sample_breaks_exactly_one_part(
    path: Path, slug: str, sample: Sample, tmp_path: Path
) -> None:
    """With that one part out of the way, the rule would have hit."""
    beside = samples.rule_file(path)
    rules = list(yaml.load_all(beside.read_text(), yaml.CSafeLoader))
    rule = next(rule for rule in rules if rule["name"] == slug)
    assert sample.breaks, "say which part spares it"
    _loosen(rule, sample.breaks)
    loosened = tmp_path / beside.name
    loosened.write_text(yaml.dump_all(rules, Dumper=yaml.CSafeDumper))

    ruleset = load_rules([loosened])
    assert samples.count_hits(Rules(ruleset, Detect()), sample, INTAKE)[slug]


def _loosen(rule: dict[str, Any], part: str) -> None:
    if part == "condition":
        rule["correlation"]["condition"]["gte"] = 1
    elif part == "timespan":
        rule["correlation"]["timespan"] = "365d"
    elif part == "type":
        rule["correlation"]["type"] = "temporal"
    elif part == "group-by":
        del rule["correlation"]["group-by"]
    else:
        spares = re.search(rf"not {part}\b", rule["detection"]["condition"])
        always = {"event.no_such_field|exists": False}
        rule["detection"][part] = {"event.no_such_field|exists": True} if spares else always


def test_no_rule_fires_on_a_benign_sample_of_another_unexplained() -> None:
    crossings, mistakes = cross([RULES], INTAKE)

    assert mistakes == []
    assert [one.fires for one in crossings if one.benign and not one.explained] == []


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_every_playbook_loads_under_its_name_and_passes_its_tests(path: Path) -> None:
    playbook = read(path, ACTIONS)
    results, coverage = rehearsal.run(path.with_name(path.stem + samples.SUFFIX), ACTIONS)

    assert playbook.name == path.stem
    assert results
    assert [result for result in results if result.problem] == []
    assert coverage
    assert coverage.plain()["steps_reached"] == coverage.plain()["steps"]


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_every_playbook_answers_rules_that_exist(path: Path) -> None:
    known = {rule.name for rule in (*RULESET.rules, *RULESET.correlations)}
    known |= {*MODELS, breaches.RULE}
    on = read(path, ACTIONS).on

    assert on.schedule or on.manual or on.incident
    assert set(on.incident.rules if on.incident else ()) <= known


def test_every_grave_rule_of_the_funding_pack_is_answered() -> None:
    pack = load_rules([RULES / "funding"])
    grave = {
        rule.name
        for rule in (*pack.rules, *pack.correlations)
        if rule.level in {"high", "critical"} and rule.name not in pack.silent
    }
    triggers = [read(path, ACTIONS).on.incident for path in PLAYBOOKS]
    answered = {rule for on in triggers if on for rule in on.rules}

    assert grave - answered == set(UNANSWERED)
    assert answered >= MODELS - SCORES


def test_no_playbook_answers_a_score() -> None:
    triggers = [read(path, ACTIONS).on.incident for path in PLAYBOOKS]

    assert SCORES <= MODELS
    assert SCORES.isdisjoint(rule for on in triggers if on for rule in on.rules)


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_whom_a_playbook_holds_back_is_free_again_in_one_of_its_tests(path: Path) -> None:
    """By an undo, by a lift, or because an effect's time is over."""
    playbook = read(path, ACTIONS)
    kinds = {_kind(ACTIONS[step.use or ""]) for step in playbook.containing(ACTIONS)}
    freed = {kind for case in _cases(path) for kind in kinds if _is_freed(kind, case)}

    assert freed == kinds


def _cases(path: Path) -> tuple[rehearsal.Case, ...]:
    return load(path.with_name(path.stem + samples.SUFFIX), rehearsal.Cases).tests


def _kind(action: Any) -> str:
    """Return what kind of effect *action* puts in force."""
    return str(action.model_validate_json(action.example).plan().kind)


def _is_freed(kind: str, case: rehearsal.Case) -> bool:
    """Return whether less of *kind* is in force at the end of *case* than was put in force."""
    calls, left = case.expect.calls, (case.expect.in_force or {}).get(kind, 0)
    named = [name for name, action in ACTIONS.items() if action.undoes and _kind(action) == kind]
    if isinstance(calls, tuple):
        return any(f"undo:{name}" in calls for name in named)
    return sum(calls.get(name, 0) for name in named) > left


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_no_wallet_and_no_account_is_shut_out_before_people_agreed(path: Path) -> None:
    playbook = read(path, ACTIONS)
    approvals = {step.id for step in playbook.every_step() if step.approval}

    asked = dict(_asked(playbook.steps, frozenset()))
    unasked = [
        step.id
        for step in playbook.every_step()
        if step.use in SHUTS_OUT and not asked.get(step.id, frozenset()) & approvals
    ]
    assert unasked == []


def _asked(steps: Sequence[Step], above: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield each step with the steps that its ``when`` reads, and those around it."""
    for step in steps:
        read_ = above | {below for root, below in references(step.when) if root == "steps"}
        yield step.id, read_
        for branch in step.branches():
            yield from _asked(branch, read_)


def test_whoever_guesses_a_password_locks_nobody_out() -> None:
    """Not by anything that answers the guessing, whoever agrees."""
    answers = [
        playbook
        for playbook in (read(path, ACTIONS) for path in PLAYBOOKS)
        if playbook.on.incident and GUESSING & set(playbook.on.incident.rules)
    ]

    assert answers
    for playbook in answers:
        assert {step.use for step in playbook.every_step()}.isdisjoint(SHUTS_OUT | {"edge.block"})


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_whoever_is_held_back_reads_why(path: Path) -> None:
    for step in read(path, ACTIONS).containing(ACTIONS):
        assert step.parameters["reason"], step.id


def test_every_rule_says_who_owns_it_and_what_to_do() -> None:
    for rule in (*RULESET.rules, *RULESET.correlations):
        assert rule.extras.owner, rule.name
        assert rule.extras.reviewed, rule.name
        assert rule.tags, rule.name
        assert rule.name in RULESET.silent or rule.extras.response, rule.name
