"""Each kind of evidence, against a real store."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from soc.app.reporting import look
from soc.app.switching import switch
from soc.store.session import reading
from soc.store.tables import AuditRow, DetectorWindow
from soc.threats.evidence.kinds import resolvers
from soc.threats.evidence.look import Observation
from soc.threats.model import Evidence, Expect
from soc.threats.scale import Proof

MONTH = timedelta(days=30)


def ask(kind: str, ref: str = "", **more: object) -> Evidence:
    return Evidence.model_construct(kind=kind, ref=ref, max_age=MONTH, required=True, **more)


def see(world, kind: str, ref: str = "", **more: object) -> Observation | None:
    more = {"expect": None, "by": "", "on": None, "says": "", **more}
    with reading(world.suite.database) as looking:
        sight = look(world.suite, looking, world.clock.now())
        return resolvers()[kind].observe(ask(kind, ref, **more), sight)


@pytest.mark.parametrize(
    ("kind", "ref"),
    [
        ("rule.enabled", "qf-api-abuse"),
        ("rule.test", "qf-api-abuse"),
        ("rule.fired", "qf-api-abuse"),
        ("playbook.enabled", "qf-api-abuse"),
        ("playbook.run", "qf-api-abuse"),
        ("approval.four_eyes", "any"),
        ("source.freshness", "chain.block"),
        ("config.snapshot", "respond.mode"),
        ("audit.whole", ""),
        ("login.lockout", ""),
        ("retention.plan", ""),
        ("attestation", ""),
        ("document", ""),
    ],
)
def test_in_an_empty_home_nothing_is_seen(world, kind: str, ref: str) -> None:
    assert see(world, kind, ref) is None


@pytest.mark.parametrize(
    ("happens", "kind", "ref", "value"),
    [
        (lambda w: w.act(), "rule.enabled", "qf-api-abuse", "active"),
        (lambda w: w.act(), "rule.enabled", "qf-common-funder", "active"),
        (lambda w: w.act("rules.test", "rule:qf-api-abuse"), "rule.test", "qf-api-abuse", "done"),
        (lambda w: w.alert("qf-api-abuse"), "rule.fired", "qf-api-abuse", "ALT-1"),
        (lambda w: w.act(), "playbook.enabled", "qf-api-abuse", "loaded"),
        (lambda w: w.run("qf-api-abuse"), "playbook.run", "qf-api-abuse", "done"),
        (lambda w: w.decide("rhea"), "approval.four_eyes", "any", "approved"),
        (lambda w: w.decide("rhea"), "approval.four_eyes", "qf-sybil-containment", "approved"),
        (lambda w: w.events(), "source.freshness", "chain.block", "2026-11-26T12:00:00Z"),
        (lambda w: w.events(), "source.freshness", "source:platform", "2026-11-26T12:00:00Z"),
        (lambda w: w.act(), "config.snapshot", "respond.mode", "plan"),
        (lambda w: w.act(), "audit.whole", "", 1),
        (lambda w: w.fail_logins(10), "login.lockout", "", 1),
        (lambda w: w.act(), "retention.plan", "", 15),
    ],
    ids=lambda value: "" if callable(value) else str(value),
)
def test_what_happened_is_seen_with_time_and_digest(
    world,
    happens: Callable[[object], None],
    kind: str,
    ref: str,
    value: str | int,
) -> None:
    happens(world)

    found = see(world, kind, ref)

    assert found is not None
    assert (found.value, found.failing, found.at) == (value, False, world.clock.now())
    assert found.digest.startswith("sha256:")
    assert found.words


@pytest.mark.parametrize(
    ("mode", "value"), [("disabled", "disabled"), ("monitor", "monitor"), ("active", "active")]
)
def test_a_rule_that_a_person_switched_is_seen_in_its_mode(world, mode: str, value: str) -> None:
    switch(
        world.suite,
        "qf-api-abuse",
        mode,
        "told by ines@example.org about 0xabcdef0123",
        None,
        "os:x",
    )

    found = see(world, "rule.enabled", "qf-api-abuse")

    assert found is not None
    assert (found.value, found.failing) == (value, value != "active")
    assert "example.org" not in found.words
    assert "0xab" not in found.words


def test_a_switch_counts_from_when_it_was_made_until_it_ends(world) -> None:
    world.act()
    world.later(days=2)
    until = world.clock.now() + timedelta(days=3)
    switch(world.suite, "qf-api-abuse", "disabled", "works on it", until, "os:x")
    modes = []
    for days in (-1, 0, 2, 4):
        world.clock.moment = until - timedelta(days=3) + timedelta(days=days)
        found = see(world, "rule.enabled", "qf-api-abuse")
        modes.append(found.value if found else None)

    assert modes == ["active", "disabled", "disabled", "active"]


def test_a_detector_that_fails_makes_its_rules_blind(world) -> None:
    world.act()
    now = world.clock.now()
    row = DetectorWindow(detector="sigma", state="{}", failure="no", failed=now)
    world.write(lambda writing: writing.add(row))

    found = see(world, "rule.enabled", "qf-api-abuse")

    assert found is not None
    assert (found.value, found.failing) == ("blind", True)


def test_samples_that_fail_are_a_failure_until_they_pass(world) -> None:
    seen = []
    for outcome in ("failed", "done"):
        world.act("rules.test", "rule:qf-api-abuse", outcome)
        world.later(minutes=1)
        both = (see(world, "rule.test", "qf-api-abuse"), see(world, "rule.enabled", "qf-api-abuse"))
        seen.append([found.failing for found in both if found])

    assert seen == [[True, True], [False, False]]


@pytest.mark.parametrize("verdict", ["false_positive", "insufficient_data"])
def test_an_alert_that_was_wrong_shows_nothing(world, verdict: str) -> None:
    world.alert("qf-api-abuse", verdict)

    assert see(world, "rule.fired", "qf-api-abuse") is None


def test_alerts_and_runs_of_earlier_versions_prove_as_much_as_a_test(world) -> None:
    world.alert("qf-api-abuse", digest="sha256:earlier")
    world.run("qf-api-abuse", earlier=True)

    for kind in ("rule.fired", "playbook.run"):
        found = see(world, kind, "qf-api-abuse")
        assert found is not None
        assert found.proof is Proof.E2


@pytest.mark.parametrize(
    ("state", "fails"), [("failed", True), ("needs_human", True), ("done", False)]
)
def test_the_newest_ended_run_counts(world, state: str, fails: bool) -> None:
    world.run("qf-api-abuse", "failed" if state == "done" else "done")
    world.later(minutes=1)
    world.run("qf-api-abuse", state)
    world.later(minutes=1)
    world.run("qf-api-abuse", "cancelled")

    found = see(world, "playbook.run", "qf-api-abuse")

    assert found is not None
    assert found.failing is fails


def test_who_decides_alone_is_not_four_eyes(world) -> None:
    world.decide("rhea", by="user:rhea")

    found = see(world, "approval.four_eyes", "any")

    assert found is not None
    assert found.failing


def test_an_act_that_was_changed_is_seen(world) -> None:
    world.act()
    world.act()

    def forge(writing) -> None:
        row = writing.get_one(AuditRow, 1)
        row.record = row.record.replace("home.init", "home.exit")

    world.write(forge)
    found = see(world, "audit.whole")

    assert found is not None
    assert found.failing


@pytest.mark.parametrize(
    ("ref", "expect", "fails"),
    [
        ("respond.mode", Expect(one_of=("plan", "contain")), False),
        ("respond.mode", Expect(one_of=("full",)), True),
        ("respond.budget", Expect(at_most=100), False),
        ("respond.budget", Expect(at_most=1), True),
        ("respond.mode", Expect(at_most=1), True),
    ],
)
def test_a_setting_is_held_against_what_is_expected(
    world,
    ref: str,
    expect: Expect,
    fails: bool,
) -> None:
    world.act()

    found = see(world, "config.snapshot", ref, expect=expect)

    assert found is not None
    assert found.failing is fails


def test_nine_failures_lock_nobody_out(world) -> None:
    world.fail_logins(9)

    assert see(world, "login.lockout") is None


@pytest.mark.parametrize("kind", ["attestation", "document"])
def test_a_statement_is_seen_from_its_day_on(world, kind: str) -> None:
    today = world.clock.now().date()
    says = {"by": "role:security", "says": "We practised."}

    found = see(world, kind, on=today, **says)

    assert found is not None
    assert found.value == "2026-11-26"
    assert resolvers()[kind].proof is Proof.E0
    assert see(world, kind, on=today + timedelta(days=1), **says) is None


def test_nothing_later_than_the_moment_is_seen(world) -> None:
    world.everything()
    world.fail_logins(10)
    world.clock.moment -= timedelta(seconds=1)

    for kind, ref in (
        ("rule.enabled", "qf-api-abuse"),
        ("rule.fired", "qf-api-abuse"),
        ("playbook.run", "qf-api-abuse"),
        ("approval.four_eyes", "any"),
        ("source.freshness", "chain.block"),
        ("audit.whole", ""),
        ("login.lockout", ""),
    ):
        assert see(world, kind, ref) is None
