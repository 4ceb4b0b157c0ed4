"""A row of the ledger says who made it, who agreed, what obeys it and why it ended."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlmodel import Session, select

from soc.access.permissions import Permission, Principal, Role
from soc.clock import SettableClock
from soc.errors import Illegal
from soc.incidents.record import record
from soc.model.finding import Finding
from soc.model.value import Severity
from soc.respond import approvals, labels, ledger, stopping
from soc.respond.action import Hold
from soc.respond.step import Ask
from soc.respond.world import LocalWorld
from soc.store.session import Database, session
from soc.store.tables import AuditRow, Effect, Incident, Run
from soc.triage import Incidents
from soc.web import views

RHEA = Principal(
    name="user:rhea",
    person="rhea",
    permissions=frozenset({Permission.APPROVE}),
    roles=frozenset({Role.APPROVER}),
)
HOLD = Hold(subject="wallet:0xbad", kind="rate_limit", rate=6, burst=3)


@pytest.fixture
def run(database: Database, clock: SettableClock, finding: Callable[..., Finding]) -> Run:
    """A run that answers INC-1."""
    with session(database) as writing:
        record(writing, [finding()], {}, clock.now(), Incidents())
        made = Run(
            dedup="r", kind="playbook", playbook="calm-down", incident=1, state="running",
            requested_by="soc", created=clock.now(),
        )  # fmt: skip
        writing.add(made)
    return made


def world(writing: Session, run: Run, clock: SettableClock, path: str = "limit[0]") -> LocalWorld:
    until = clock.now() + timedelta(hours=1)
    return LocalWorld(writing, run, path, "wallet.rate_limit", until, clock.now())


def agree(database: Database, run: Run, clock: SettableClock, *holds: Hold) -> None:
    with session(database) as writing:
        question = Ask(ask="Slow them down?", approvers=("role:approver",))
        asked = approvals.ask(writing, run, "limit", question, holds, clock.now())
        writing.flush()
        assert asked.id is not None
        approvals.decide(
            writing, asked.id, RHEA, approve=True, digest=asked.digest, reason="", now=clock.now()
        )


def test_an_effect_says_all_there_is_to_know_of_it(
    database: Database, run: Run, clock: SettableClock
) -> None:
    agree(database, run, clock, replace(HOLD, seconds=3600))
    with session(database) as writing:
        world(writing, run, clock).enforce(HOLD)
    with session(database) as writing:
        ledger.ask_lift(writing, "EF-1-limit-0", "user:rhea", "cleared", clock.now())
        ledger.lift(writing, "EF-1-limit-0", "user:rhea", clock.now())
        said = views.effect(writing.get_one(Effect, "EF-1-limit-0"))

    assert said == {
        "id": "EF-1-limit-0",
        "run": 1,
        "step": "limit[0]",
        "incident": "INC-1",
        "action": "wallet.rate_limit",
        "subject": "wallet:0xbad",
        "kind": "rate_limit",
        "rate": 6,
        "burst": 3,
        "parameters": {"rate": 6, "burst": 3},
        "state": "lifted",
        "reason": "",
        "approved_by": ["rhea"],
        "active": "2026-11-23T12:00:00Z",
        "until": "2026-11-23T13:00:00Z",
        "receipt": "ledger 1",
        "verified": None,
        "lifted": "2026-11-23T12:00:00Z",
        "lifted_by": "user:rhea",
        "lift_reason": "cleared",
    }


def test_who_agreed_to_something_else_did_not_agree_to_this(
    database: Database, run: Run, clock: SettableClock
) -> None:
    agree(database, run, clock, Hold(subject="wallet:0xbad", kind="quarantine"))

    with session(database) as writing:
        world(writing, run, clock).enforce(HOLD)
        assert views.effect(writing.exec(select(Effect)).one())["approved_by"] == []


def test_while_response_is_stopped_nobody_is_held_back_and_what_is_in_force_stays(
    database: Database, run: Run, clock: SettableClock
) -> None:
    with session(database) as writing:
        world(writing, run, clock).enforce(HOLD)
        stopping.stop(writing, "user:rhea", "a rule went wild", clock.now())
    with session(database) as writing:
        stop = "response is stopped since 2026-11-23 12:00 UTC by user:rhea: a rule went wild"
        with pytest.raises(Illegal, match=stop):
            world(writing, run, clock, "limit[1]").enforce(HOLD)
        assert [e.state for e in ledger.effects(writing)] == ["active"]
    with pytest.raises(Illegal, match=stop):
        agree(database, run, clock, HOLD)
    agree(database, run, clock)

    with session(database) as writing:
        stopping.start(writing, "user:rhea", "the rule is off", clock.now())
    with session(database) as writing:
        world(writing, run, clock, "limit[1]").enforce(HOLD)
        assert [e.state for e in ledger.effects(writing)] == ["active", "active"]
        acts = [a.action for a in writing.exec(select(AuditRow)) if a.object == "response"]
        assert acts == ["response.stop", "response.start"]


def test_response_is_stopped_once_and_with_a_reason(
    database: Database, clock: SettableClock
) -> None:
    with session(database) as writing:
        with pytest.raises(Illegal, match="reason"):
            stopping.stop(writing, "user:rhea", "  ", clock.now())
        with pytest.raises(Illegal, match="not stopped"):
            stopping.start(writing, "user:rhea", "", clock.now())
        stopping.stop(writing, "user:rhea", "why", clock.now())
        with pytest.raises(Illegal, match="already"):
            stopping.stop(writing, "user:rhea", "why", clock.now())


def test_a_step_is_taken_back_by_its_own_run_alone(
    database: Database, run: Run, clock: SettableClock
) -> None:
    with session(database) as writing:
        for path in ("limit[0]", "limit[1]", "limits[0]"):
            world(writing, run, clock, path).enforce(HOLD)
        other = Run(
            dedup="o", kind="playbook", playbook="other", state="running", requested_by="soc",
            created=clock.now(),
        )  # fmt: skip
        writing.add(other)
        writing.flush()

        assert world(writing, other, clock, "back[0]").lift_step("limit") == 0
        assert world(writing, run, clock, "back[0]").lift_step("limit") == 2
        assert world(writing, run, clock, "back[0]").lift_step("limit") == 0

        left = {e.path: (e.state, e.lifted_by) for e in ledger.effects(writing)}
    assert left == {
        "limit[0]": ("lifted", "RUN-1"),
        "limit[1]": ("lifted", "RUN-1"),
        "limits[0]": ("active", None),
    }


def test_a_label_shows_on_every_incident_that_names_the_wallet(
    database: Database, run: Run, clock: SettableClock
) -> None:
    with session(database) as writing:
        for label in ("mixer", "mixer", "bridge"):
            world(writing, run, clock).label("wallet:0xbad", label)
        world(writing, run, clock).label("wallet:0xother", "mixer")

        assert labels.of_incident(writing, 1) == {"wallet:0xbad": ["bridge", "mixer"]}


def test_a_playbook_may_rate_and_assign_its_incident(
    database: Database, run: Run, clock: SettableClock
) -> None:
    with session(database) as writing:
        world(writing, run, clock).update(severity=Severity.CRITICAL, owner=None)
        world(writing, run, clock).update(severity=None, owner="ines")
        world(writing, run, clock).update(severity=Severity.CRITICAL, owner="ines")

        incident = writing.get_one(Incident, 1)
        assert (incident.severity, incident.owner) == ("critical", "ines")
        acts = [a.action for a in writing.exec(select(AuditRow))]
    assert acts.count("incident.rate") == acts.count("incident.assign") == 1
