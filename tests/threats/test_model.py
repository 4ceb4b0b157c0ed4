"""Threat models as people write them, and every mistake that they can make."""

import re
from pathlib import Path

import pytest

from soc.app.home import Home
from soc.app.reporting import things
from soc.content.folders import packaged
from soc.errors import ContentError
from soc.threats.evidence.kinds import Kind, described, resolvers
from soc.threats.model import Known, ThreatModel, read

BROKEN = Path(__file__).parent / "data" / "broken-model.yml"
QF = packaged("threat_model") / "qf.yml"
TOP = ("R1", "R2", "R3", "R4", "R5")


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Known:
    nowhere = Home(tmp_path_factory.mktemp("no") / "home")
    return Known(described(resolvers()), things(nowhere))


@pytest.fixture(scope="module")
def qf(known: Known) -> ThreatModel:
    return read(QF, known)


def test_every_mistake_is_named_at_once_with_its_line(known: Known) -> None:
    text = BROKEN.read_text().splitlines()
    expected = {n: line.partition("  # ")[2] for n, line in enumerate(text, 1) if "  # " in line}

    with pytest.raises(ContentError) as wrong:
        read(BROKEN, known)

    told: dict[int, str] = {}
    for problem in wrong.value.problems:
        told[problem.line] = f"{told.get(problem.line, '')}; {problem.message}"
    assert set(told) == set(expected)
    for line, words in expected.items():
        assert words in told[line]


def test_a_step_may_only_name_controls_of_its_risk(known: Known, tmp_path: Path) -> None:
    text = QF.read_text().replace(
        "controls: [C-DOS-P1, C-DOS-D1, C-DOS-R1]\n", "controls: [C-DOS-P1]\n"
    )
    (tmp_path / "qf.yml").write_text(text)

    with pytest.raises(ContentError, match="a step names C-DOS-D1"):
        read(tmp_path / "qf.yml", known)


def test_a_control_that_no_risk_names_is_a_mistake(known: Known, tmp_path: Path) -> None:
    control = (
        "controls:\n  - id: C-LOST-D1\n    type: detective\n    statement: Lost.\n"
        "    strength: {s: 0.5, why: None.}\n    gap: Nobody needs it.\n"
    )
    (tmp_path / "qf.yml").write_text(QF.read_text().replace("\ncontrols:\n", f"\n{control}", 1))

    with pytest.raises(ContentError, match="no risk names control C-LOST-D1"):
        read(tmp_path / "qf.yml", known)


@pytest.mark.parametrize("what", ["rule", "playbook", "setting", "retention"])
def test_renaming_what_the_model_refers_to_is_found(known: Known, what: str) -> None:
    fewer = {**known.things, what: frozenset({"something-else"})}

    with pytest.raises(ContentError) as wrong:
        read(QF, Known(known.kinds, fewer))

    assert all(re.match(r"(ref|retention)", problem.message) for problem in wrong.value.problems)


def test_the_top_five_risks_and_the_watch_list_are_there(qf: ThreatModel) -> None:
    ranked = qf.ranked()

    assert sorted(risk.id for risk in ranked if not risk.watch) == list(TOP)
    assert [risk.inherent.score for risk in ranked] == [20, 16, 15, 15, 15, 12, 12, 12]
    assert {risk.id for risk in ranked if risk.watch} == {"R6", "R7", "R8"}


def test_every_step_and_control_has_something_real_or_says_why_not(qf: ThreatModel) -> None:
    for risk in qf.risks:
        assert all(step.controls or step.gap for path in risk.paths for step in path.steps)
    for control in qf.controls:
        assert bool(control.gap) != bool(control.evidence)


def test_no_control_claims_an_exercise_because_none_can_be_observed(qf: ThreatModel) -> None:
    assert not any(one.proof == "E4" for control in qf.controls for one in control.evidence)


def test_every_kind_of_evidence_has_one_resolver_of_its_name() -> None:
    assert set(resolvers()) == set(Kind)
    assert all(resolver.kind == kind for kind, resolver in resolvers().items())
