"""What an auditor may rely on, through the command line and a real home."""

import json
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from soc.app.reporting import MODEL, assessed, content_file
from soc.app.switching import switch
from soc.cli.main import app
from soc.content.folders import packaged
from soc.model.value import rfc3339
from soc.threats.assess import Assessment, Status, assess
from soc.threats.evidence.kinds import described, resolvers
from soc.threats.evidence.look import Observation
from soc.threats.model import Evidence, Known, ThreatModel, read

FIRED = ("C-SYB-D1", "C-KEY-D1", "C-PAY-D1", "C-PAY-D2", "C-DOS-D1")
RAN = ("C-SYB-R1", "C-KEY-R1", "C-PAY-R1", "C-PAY-R2", "C-DOS-R1")
KINDS = described(resolvers())
QF: ThreatModel = read(packaged("threat_model") / "qf.yml", Known(KINDS))
ASKED = [evidence for control in QF.controls for evidence in control.evidence]
NOW = datetime.fromisoformat("2026-11-26T12:00:00Z")


def stands(world) -> Assessment:
    return assessed(world.suite, world.clock.now(), MODEL)


def status(found: Assessment, name: str) -> Status:
    return next(control.status for control in found.controls if control.id == name)


def left(found: Assessment) -> dict[str, float]:
    return {risk.id: risk.residual.score for risk in found.risks}


def soc(world, *arguments: str) -> Any:
    return CliRunner().invoke(app, [*arguments, "--home", str(world.suite.home.path)])


def test_in_an_empty_home_all_risk_is_left_and_gaps_are_counted_first(world) -> None:
    found = stands(world)

    assert all(risk.residual.score == risk.inherent for risk in found.risks)
    assert {control.status for control in found.controls} == {Status.UNPROVEN}
    assert (found.counts.bare_risks, found.counts.risks, found.counts.watched) == (2, 5, 3)
    assert [risk.id for risk in found.risks if risk.bare] == ["R4", "R5"]


def test_what_was_observed_lowers_the_risks_that_have_controls(world) -> None:
    world.everything()

    found = stands(world)

    assert {status(found, name) for name in (*FIRED, *RAN)} == {Status.OPERATING}
    for risk in found.risks:
        assert (risk.residual.score == risk.inherent) == risk.bare
        assert risk.residual.low <= risk.residual.score <= risk.residual.high


def test_a_disabled_rule_fails_its_control_and_changes_the_residual(world, tmp_path: Path) -> None:
    world.everything()
    at = rfc3339(world.clock.now())
    before = left(stands(world))

    done = soc(world, "rules", "disable", "qf-api-abuse", "--reason", "noise")
    now = datetime.fromisoformat(at) + timedelta(days=3650)
    real = soc(world, "threats", "report", "--out", str(tmp_path / "out"), "--as-of", rfc3339(now))

    assert (done.exit_code, real.exit_code) == (0, 0)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    control = next(one for one in report["controls"] if one["id"] == "C-DOS-D1")
    assert control["status"] == "failing"
    assert "noise" in control["why"]
    assert before["R6"] < 12


def test_only_the_risks_of_a_disabled_rule_change(world) -> None:
    world.everything()
    before = stands(world)
    switch(world.suite, "qf-api-abuse", "disabled", "noise", None, "os:x")
    after = stands(world)
    switch(world.suite, "qf-api-abuse", "active", "back", None, "os:x")

    assert status(after, "C-DOS-D1") is Status.FAILING
    assert {r for r in left(after) if left(after)[r] != left(before)[r]} == {"R6"}
    assert left(after)["R6"] == 12
    assert left(stands(world)) == left(before)


def test_a_playbook_that_never_ran_is_unproven_and_answers_nothing(world) -> None:
    world.act()
    world.events()
    world.alert("qf-common-funder")

    found = stands(world)

    assert status(found, "C-SYB-D1") is Status.OPERATING
    assert status(found, "C-SYB-R1") is Status.UNPROVEN
    assert left(found)["R1"] == 20


def test_without_events_what_watches_them_is_unproven(world) -> None:
    world.act()
    world.alert("qf-common-funder")

    assert status(stands(world), "C-SYB-D1") is Status.UNPROVEN


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (timedelta(days=90), Status.OPERATING),
        (timedelta(days=90, seconds=1), Status.STALE),
        (timedelta(days=180) - timedelta(seconds=1), Status.STALE),
        (timedelta(days=180), Status.UNPROVEN),
    ],
    ids=["at its age", "a second later", "a second before twice", "twice its age"],
)
def test_evidence_that_grows_old_is_stale_then_nothing(
    world,
    age: timedelta,
    expected: Status,
) -> None:
    world.everything()
    world.clock.moment += age

    assert status(stands(world), "C-SYB-R1") is expected


def test_the_same_store_and_moment_give_the_same_bytes(
    world,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world.everything()
    at = rfc3339(world.clock.now() + timedelta(days=40))
    outputs = []
    for name, zone in (("a", "UTC"), ("b", "Asia/Kathmandu")):
        monkeypatch.setitem(os.environ, "TZ", zone)
        made = soc(world, "threats", "report", "--out", str(tmp_path / name), "--as-of", at)
        assert made.exit_code == 0, made.output
        outputs.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})

    assert set(outputs[0]) == {"report.json", "report.md", "report.html"}
    assert outputs[0] == outputs[1]


def test_no_wallet_reaches_the_report(world, tmp_path: Path) -> None:
    world.everything()
    soc(
        world,
        "rules",
        "disable",
        "qf-api-abuse",
        "--reason",
        "0x" + "ab" * 20 + " of bo@example.org",
    )

    at = rfc3339(NOW + timedelta(days=3650))
    soc(world, "threats", "report", "--out", str(tmp_path / "out"), "--as-of", at)

    for path in (tmp_path / "out").iterdir():
        assert "ab" * 10 not in path.read_text()
        assert "bo@" not in path.read_text()
        assert "bo&#64;" not in path.read_text()


def test_check_passes_what_is_packaged_and_names_mistakes(world, tmp_path: Path) -> None:
    good = soc(world, "threats", "check")
    broken = tmp_path / "broken.yml"
    text = content_file(world.suite.home, "threat_model", MODEL).read_text()
    broken.write_text(text.replace("ref: qf-api-abuse", "ref: qf-api-gone"))
    bad = soc(world, "threats", "check", str(broken))

    assert (good.exit_code, good.output) == (0, "")
    assert bad.exit_code == 2
    line = 1 + text[: text.index("ref: qf-api-abuse")].count("\n")
    assert f"{broken}:{line}: ref: no rule 'qf-api-gone'" in bad.stderr


def test_a_moment_that_is_none_is_a_usage_error(world, tmp_path: Path) -> None:
    assert soc(world, "threats", "report", "--out", str(tmp_path), "--as-of", "soon").exit_code == 2


OBSERVED = st.lists(
    st.none() | st.tuples(st.integers(0, 400), st.booleans()),
    min_size=len(ASKED),
    max_size=len(ASKED),
)


@settings(max_examples=40, deadline=None)
@given(OBSERVED, st.sets(st.integers(0, len(ASKED) - 1)))
def test_less_evidence_never_shows_less_risk(
    observed: list[tuple[int, bool] | None], deleted: set[int]
) -> None:
    passing = [seen and (seen[0], False) for seen in observed]
    fewer = [None if index in deleted else seen for index, seen in enumerate(passing)]

    more, less = (left(assess(QF, KINDS, seeing(seen), NOW)) for seen in (passing, fewer))
    nothing = left(assess(QF, KINDS, seeing([None] * len(ASKED)), NOW))

    assert all(less[risk] >= more[risk] for risk in more)
    assert nothing == {risk.id: risk.inherent.score for risk in QF.risks}


def seeing(observed: list[tuple[int, bool] | None]) -> Any:
    by_id = dict(zip(map(id, ASKED), observed, strict=True))

    def observe(asked: Evidence) -> Observation | None:
        seen = by_id[id(asked)]
        if seen is None:
            return None
        at = NOW - timedelta(days=seen[0])
        return Observation(value=1, at=at, digest="sha256:", words="seen", failing=seen[1])

    return observe
