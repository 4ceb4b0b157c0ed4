"""A crash anywhere loses nothing and repeats nothing; what people must decide waits for them."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, event
from sqlmodel import Session, col, func, select, update

from soc import plugins
from soc.access.permissions import Permission, Principal, Role
from soc.clock import SettableClock
from soc.content.folders import packaged
from soc.errors import AccessDenied, Illegal
from soc.incidents import lifecycle
from soc.incidents.record import record
from soc.model.finding import Finding
from soc.model.value import EPOCH, Entity
from soc.respond import approvals, ledger
from soc.respond.engine import CLAIMS, Engine
from soc.respond.hands import LiveHands
from soc.respond.notifier import Outbox
from soc.respond.playbook import Playbook, read
from soc.respond.trigger import trigger
from soc.respond.turn import Means
from soc.settings import Mode, Respond
from soc.store.session import Database, session
from soc.store.tables import Approval, Effect, IncidentNote, Run, Step
from soc.triage import Incidents

ACTIONS = plugins.load("soc.actions")
SYBIL = read(packaged("playbooks") / "qf-sybil-containment.yml", ACTIONS)
CONTAIN = Respond(mode=Mode.CONTAIN)
Make = Callable[..., Finding]
RHEA = Principal(
    name="user:rhea",
    person="rhea",
    permissions=frozenset({Permission.APPROVE}),
    roles=frozenset({Role.APPROVER}),
)


def queue(
    database: Database, clock: SettableClock, found: Finding, playbook: Playbook = SYBIL
) -> tuple[int, ...]:
    with session(database) as writing:
        changes = record(writing, [found], {}, clock.now(), Incidents())
        return trigger(writing, (c.incident for c in changes), [playbook], clock.now())


def engine(
    database: Database, clock: SettableClock, folder: Path, policy: Respond = CONTAIN
) -> Engine:
    means = Means(
        actions=ACTIONS,
        notifier=Outbox(folder / "outbox"),
        playbook=lambda _: None,
        hands=LiveHands(),
    )
    return Engine(database, clock, policy, means, "worker")


def cluster(finding: Make, *wallets: str) -> Finding:
    named = tuple(Entity.parse(f"wallet:{wallet}") for wallet in wallets)
    return finding(f"wallet:{wallets[0]}", "qf-common-funder", entities=named)


def work(*engines: Engine) -> None:
    while any(one.work() for one in engines):
        pass


def decide(
    database: Database, clock: SettableClock, *, approve: bool = True, who: Principal = RHEA
) -> None:
    with session(database) as writing:
        (asked,) = writing.exec(select(Approval).where(col(Approval.state) == "pending"))
        assert asked.id is not None
        approvals.decide(
            writing,
            asked.id,
            who,
            approve=approve,
            digest=asked.digest,
            reason="r",
            now=clock.now(),
        )


def kinds(database: Database, state: str = "active") -> dict[str, int]:
    with Session(database) as reading:
        query = select(Effect.kind, func.count()).where(col(Effect.state) == state)
        return dict(reading.exec(query.group_by(col(Effect.kind))).all())


def state_of(database: Database, run: int = 1) -> str:
    with Session(database) as reading:
        return reading.get_one(Run, run).state


def overdue(database: Database) -> None:
    """Let every lease be over: the store's own clock is not to be moved."""
    with session(database) as writing:
        writing.connection().execute(update(Run).values(lease_until=EPOCH))


class Crash(BaseException):
    """The process is gone."""


@contextmanager
def crashing(database: Database, commits: int) -> Iterator[None]:
    """Let *commits* transactions through, then crash before the next one is kept."""
    left = commits

    def commit(_connection: Connection) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Crash

    event.listen(database, "commit", commit)
    try:
        yield
    finally:
        event.remove(database, "commit", commit)


@pytest.mark.parametrize("commits", range(24))
def test_a_crash_before_any_commit_loses_and_repeats_nothing(
    database: Database, tmp_path: Path, clock: SettableClock, finding: Make, commits: int
) -> None:
    queue(database, clock, cluster(finding, "0xa", "0xb", "0xc"))
    try:
        with crashing(database, commits):
            work(engine(database, clock, tmp_path))
            decide(database, clock)
            work(engine(database, clock, tmp_path))
    except Crash:
        overdue(database)
        work(engine(database, clock, tmp_path))
        if state_of(database) == "waiting":
            decide(database, clock)
            work(engine(database, clock, tmp_path))

    assert state_of(database) == "done"
    assert kinds(database) == {"rate_limit": 3, "quarantine": 3}
    assert len(list((tmp_path / "outbox").glob("*.json"))) == 1
    with Session(database) as reading:
        assert reading.exec(select(func.count()).select_from(IncidentNote)).one() == 1
        assert ledger.version(reading) == 6
    database.dispose()


def test_of_two_workers_one_holds_a_run(
    database: Database, clock: SettableClock, finding: Make, tmp_path: Path
) -> None:
    """A worker that was thought dead, and is not, writes nothing more."""
    queue(database, clock, cluster(finding, "0xa", "0xb"))
    slow, fast = (engine(database, clock, tmp_path) for _ in range(2))
    claim = slow.claim()
    assert claim is not None
    overdue(database)
    work(fast)

    with pytest.raises(Exception, match="Another worker"):
        slow.carry(claim)

    assert kinds(database) == {"rate_limit": 2}


def test_a_run_that_kills_its_workers_is_handed_to_a_person(
    database: Database, clock: SettableClock, finding: Make, tmp_path: Path
) -> None:
    queue(database, clock, cluster(finding, "0xa"))
    for _ in range(CLAIMS + 1):
        assert engine(database, clock, tmp_path).claim()
        overdue(database)

    work(engine(database, clock, tmp_path))

    assert state_of(database) == "needs_human"


def test_nothing_is_quarantined_before_a_person_agreed(
    database: Database, clock: SettableClock, finding: Make, tmp_path: Path
) -> None:
    queue(database, clock, cluster(finding, "0xa"))
    work(engine(database, clock, tmp_path))

    assert state_of(database) == "waiting"
    assert kinds(database) == {"rate_limit": 1}
    with Session(database) as reading:
        (asked,) = reading.exec(select(Approval))
        assert '"subject":"wallet:0xa","kind":"quarantine"' in asked.plan_json


def test_out_of_the_box_everything_that_holds_back_is_proposed_first(
    database: Database, clock: SettableClock, finding: Make, tmp_path: Path
) -> None:
    plan = engine(database, clock, tmp_path, Respond())
    queue(database, clock, cluster(finding, "0xa", "0xb"))
    work(plan)
    assert (kinds(database), kinds(database, "proposed")) == ({}, {"rate_limit": 2})

    decide(database, clock)
    work(plan)

    assert kinds(database) == {"rate_limit": 2}


def test_a_rejected_proposal_holds_nobody_back(
    database: Database, clock: SettableClock, finding: Make, tmp_path: Path
) -> None:
    plan = engine(database, clock, tmp_path, Respond())
    queue(database, clock, cluster(finding, "0xa"))
    work(plan)
    decide(database, clock, approve=False)

    work(plan)

    assert (kinds(database), kinds(database, "failed")) == ({}, {"rate_limit": 1})


def test_a_protected_subject_is_never_held_back(
    database: Database, clock: SettableClock, finding: Make, tmp_path: Path
) -> None:
    policy = Respond(mode=Mode.FULL, protected=("wallet:0xa",))
    queue(database, clock, cluster(finding, "0xa", "0xb"))
    one = engine(database, clock, tmp_path, policy)
    work(one)
    decide(database, clock)
    work(one)

    with Session(database) as reading:
        assert set(reading.exec(select(Effect.subject))) == {"wallet:0xb"}


@pytest.mark.parametrize("by", ["time", "hand"])
def test_an_effect_is_undone_once_by_time_or_by_hand(
    database: Database, clock: SettableClock, finding: Make, tmp_path: Path, by: str
) -> None:
    queue(database, clock, cluster(finding, "0xa"))
    one = engine(database, clock, tmp_path)
    work(one)
    if by == "hand":
        with session(database) as writing:
            ledger.ask_lift(writing, "EF-1-limit-0", "user:ines", "cleared", clock.now())
    clock.moment += timedelta(hours=25)

    one.end_due()
    one.end_due()
    work(one)

    with Session(database) as reading:
        undone = reading.exec(select(Run).where(col(Run.kind) == "undo")).all()
        effect = reading.get_one(Effect, "EF-1-limit-0")
    assert [(run.state, run.requested_by) for run in undone] == [
        ("done", "user:ines" if by == "hand" else "soc")
    ]
    assert effect.state == "lifted"


def test_an_incident_that_grows_is_answered_for_the_added_alone(
    database: Database, clock: SettableClock, finding: Make
) -> None:
    assert queue(database, clock, cluster(finding, "0xa", "0xb")) == (1,)
    assert queue(database, clock, cluster(finding, "0xa", "0xb")) == ()
    assert queue(database, clock, cluster(finding, "0xa", "0xb", "0xc")) == (2,)

    with Session(database) as reading:
        assert '"wallets":["0xc"]' in reading.get_one(Run, 2).inputs_json


def test_another_rules_wallets_are_not_answered(
    database: Database, clock: SettableClock, finding: Make
) -> None:
    queue(database, clock, cluster(finding, "0xa"))
    named = tuple(Entity.parse(f"wallet:{wallet}") for wallet in ("0xa", "0xhonest"))

    assert queue(database, clock, finding("wallet:0xa", "wallet-anomaly", entities=named)) == ()


def test_monitored_incidents_start_nothing(
    database: Database, clock: SettableClock, finding: Make
) -> None:
    watched = cluster(finding, "0xa").model_copy(update={"monitor": True})

    assert queue(database, clock, watched) == ()


WRONG_VOTES = {
    "another digest": (RHEA, "sha256:0", Illegal),
    "a machine": (Principal(name="token:bot", permissions=frozenset({Permission.APPROVE}), roles=frozenset({Role.APPROVER})), None, AccessDenied),
    "another role": (Principal(name="user:a", person="a", permissions=frozenset({Permission.APPROVE}), roles=frozenset({Role.ADMIN})), None, AccessDenied),
    "no permission": (Principal(name="user:v", person="v", permissions=frozenset({Permission.READ}), roles=frozenset({Role.APPROVER})), None, AccessDenied),
}  # fmt: skip


@pytest.mark.parametrize(("who", "digest", "error"), WRONG_VOTES.values(), ids=WRONG_VOTES)
def test_who_has_no_vote_decides_nothing(
    database: Database,
    clock: SettableClock,
    finding: Make,
    tmp_path: Path,
    who: Principal,
    digest: str | None,
    error: type[Exception],
) -> None:
    queue(database, clock, cluster(finding, "0xa"))
    work(engine(database, clock, tmp_path))
    with Session(database) as reading:
        shown = reading.exec(select(Approval.digest)).one()

    with pytest.raises(error), session(database) as writing:
        approvals.decide(
            writing, 1, who, approve=True, digest=digest or shown, reason="", now=clock.now()
        )

    assert state_of(database) == "waiting"


def test_who_is_named_in_the_incident_has_no_vote(
    database: Database, clock: SettableClock, finding: Make, tmp_path: Path
) -> None:
    named = (Entity.parse("wallet:0xa"), Entity.parse("account:rhea"))
    found = finding("wallet:0xa", "qf-common-funder", entities=named)
    queue(database, clock, found)
    work(engine(database, clock, tmp_path))

    with pytest.raises(AccessDenied, match="named in the incident"):
        decide(database, clock)


def test_a_late_answer_changes_nothing(
    database: Database, clock: SettableClock, finding: Make, tmp_path: Path
) -> None:
    queue(database, clock, cluster(finding, "0xa"))
    work(engine(database, clock, tmp_path))
    for state in ("waiting", "done"):
        clock.moment += timedelta(hours=24)
        with pytest.raises(Illegal, match="no longer open"):
            decide(database, clock)
        work(engine(database, clock, tmp_path))
        assert state_of(database) == state

    assert kinds(database) == {"rate_limit": 1}


def test_an_edge_that_was_away_misses_nothing(
    database: Database, clock: SettableClock, finding: Make, tmp_path: Path
) -> None:
    queue(database, clock, cluster(finding, "0xa", "0xb"))
    one = engine(database, clock, tmp_path)
    work(one)
    with session(database) as writing:
        first = ledger.rules_after(writing, 0, clock.now())
        ledger.ask_lift(writing, "EF-1-limit-0", "user:ines", "cleared", clock.now())
    work(one)

    with session(database) as writing:
        later = ledger.rules_after(writing, first["version"], clock.now())
        restored = ledger.rules_after(writing, later["version"] + 5, clock.now())

    assert (first["full"], len(first["rules"])) == (True, 2)
    assert (later["full"], later["rules"], later["removed"]) == (False, [], ["EF-1-limit-0"])
    assert (restored["full"], len(restored["rules"])) == (True, 1)


def test_the_journal_names_every_item(
    database: Database, clock: SettableClock, finding: Make, tmp_path: Path
) -> None:
    queue(database, clock, cluster(finding, "0xa", "0xb"))
    work(engine(database, clock, tmp_path))

    with Session(database) as reading:
        rows = reading.exec(select(Step.path, Step.state).order_by(col(Step.order))).all()
    assert rows == [
        ("limit", "done"),
        ("limit[0]", "done"),
        ("limit[1]", "done"),
        ("tell", "done"),
        ("ask", "started"),
        ("decide", "waiting"),
        ("decide_many", "skipped"),
    ]


def test_one_bad_item_keeps_nobody_else_from_being_held_back(
    database: Database, clock: SettableClock, finding: Make, tmp_path: Path
) -> None:
    queue(database, clock, cluster(finding, "0xa", "0xb;drop", "0xc"))
    work(engine(database, clock, tmp_path))

    assert kinds(database) == {"rate_limit": 2}
    with Session(database) as reading:
        (bad,) = reading.exec(select(Step).where(col(Step.path) == "limit[1]"))
    assert (bad.state, "refused" in (bad.output_json or "")) == ("skipped", True)


def test_more_subjects_than_a_run_takes_get_runs_of_their_own(
    database: Database, clock: SettableClock, finding: Make
) -> None:
    started = queue(database, clock, cluster(finding, *(f"0x{n}" for n in range(1200))))

    assert len(started) == 3


def test_a_long_name_does_not_keep_a_message_from_being_sent(
    database: Database, clock: SettableClock, finding: Make, tmp_path: Path
) -> None:
    takeover = read(packaged("playbooks") / "qf-admin-takeover.yml", ACTIONS)
    names = tuple(Entity.parse(f"account:{'x' * 200}{n}") for n in range(3))
    queue(database, clock, finding(str(names[0]), "qf-admin-bruteforce", entities=names), takeover)

    work(engine(database, clock, tmp_path))

    assert state_of(database) == "done"
    assert len(list((tmp_path / "outbox").glob("*.json"))) == 1


def test_approvers_are_told_once_that_something_waits(
    database: Database, clock: SettableClock, finding: Make, tmp_path: Path
) -> None:
    plan = engine(database, clock, tmp_path, Respond())
    queue(database, clock, cluster(finding, "0xa"))
    work(plan)

    for _ in range(3):
        plan.remind()

    (message,) = (json.loads(p.read_text()) for p in (tmp_path / "outbox").glob("*.json"))
    assert message["to"] == ["role:approver"]
    assert "Limit the cluster on 1 subjects" in message["text"]


def test_what_was_approved_for_an_hour_does_not_last_a_year(
    database: Database, clock: SettableClock, finding: Make, tmp_path: Path
) -> None:
    queue(database, clock, cluster(finding, "0xa"))
    work(engine(database, clock, tmp_path))
    decide(database, clock)
    longer = {"qf-sybil-containment/quarantine": timedelta(days=365)}

    work(engine(database, clock, tmp_path, Respond(mode=Mode.PLAN, ttl=longer)))

    assert state_of(database) == "waiting"
    assert kinds(database) == {"rate_limit": 1}


def test_closing_an_incident_withdraws_its_questions(
    database: Database, clock: SettableClock, finding: Make, tmp_path: Path
) -> None:
    queue(database, clock, cluster(finding, "0xa"))
    one = engine(database, clock, tmp_path)
    work(one)
    with session(database) as writing:
        lifecycle.close(writing, 1, "false_positive", "cleared", "user:ines", clock.now())

    one.end_due()
    work(one)

    assert state_of(database) == "done"
    assert kinds(database) == {"rate_limit": 1}
    with Session(database) as reading:
        assert reading.exec(select(Approval.state)).one() == "withdrawn"


def test_a_failed_run_is_an_alert_of_its_incident_and_is_tried_again_when_it_grows(
    database: Database, clock: SettableClock, finding: Make, tmp_path: Path
) -> None:
    broken = SYBIL.plain()
    broken["steps"] = [{"id": "tell", "use": "notify.send", "with": {"to": [], "title": "x"}}]
    playbook = Playbook.model_validate_json(json.dumps(broken), context=ACTIONS)
    queue(database, clock, cluster(finding, "0xa"), playbook)
    work(engine(database, clock, tmp_path))
    assert state_of(database) == "failed"

    again = queue(database, clock, cluster(finding, "0xa", "0xb"), playbook)

    with Session(database) as reading:
        inputs = json.loads(reading.get_one(Run, again[0]).inputs_json)
        rules = [alert.rule for alert in lifecycle.alerts_of(reading, 1)]
    assert inputs["wallets"] == ["0xa", "0xb"]
    assert "soc-run-failed" in rules
