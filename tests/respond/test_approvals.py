"""Who decides, how many, until when; an answer is counted once, and never lost."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from time import monotonic
from typing import Any

import pytest
from sqlmodel import Session, col, select

from soc.access.permissions import Principal, Role
from soc.clock import SettableClock
from soc.errors import AccessDenied, Illegal
from soc.respond import approvals
from soc.store.session import Database, session
from soc.store.tables import Approval, AuditRow
from tests.respond.stage import Stage, limit, person, playbook, touch

PATIENCE = 60.0
"""Seconds in which a worker has asked."""
RACES = 60


@pytest.fixture
def stage(database: Database, clock: SettableClock, tmp_path: Path) -> Stage:
    return Stage(database, clock, tmp_path)


def ask(**more: Any) -> dict[str, Any]:
    return {"id": "ask", "approval": {"ask": "Go on?", "approvers": ["role:approver"], **more}}


def asked(stage: Stage) -> Approval:
    with Session(stage.database) as reading:
        return reading.exec(select(Approval).order_by(col(Approval.id).desc())).first()  # type: ignore[return-value]


def vote(stage: Stage, who: Principal, digest: str) -> None:
    with session(stage.database) as writing:
        approvals.decide(
            writing, 1, who, approve=True, digest=digest, reason="", now=stage.clock.now()
        )


def test_as_many_people_as_are_needed_must_agree(stage: Stage) -> None:
    stage.queue(playbook([ask(need=2), touch("a", stage, when="${{ steps.ask.approved }}")]))
    stage.work()

    stage.answer("rhea")
    stage.work()
    assert (asked(stage).state, stage.left()) == ("pending", [])
    stage.answer("ines")
    stage.work()

    assert (sorted(stage.output("ask")["by"]), stage.left()) == (["ines", "rhea"], ["run a"])


def test_one_who_rejects_ends_it(stage: Stage) -> None:
    stage.queue(playbook([ask(need=2), touch("a", stage, when="${{ steps.ask.approved }}")]))
    stage.work()
    stage.answer("rhea")
    stage.answer("ines", approve=False)
    stage.work()

    assert (stage.of(1).state, stage.left()) == ("done", [])


def test_nobody_votes_twice(stage: Stage) -> None:
    stage.queue(playbook([ask(need=2)]))
    stage.work()
    stage.answer("rhea")

    with pytest.raises(Illegal, match="voted already"):
        stage.answer("rhea")


PARTIES = {
    "who asked for the run": ({"requested_by": "user:rhea"}, {}, "you asked for this run"),
    "who wrote the playbook": ({}, {"author": "user:rhea"}, "you wrote or released"),
}


@pytest.mark.parametrize(("run", "head", "why"), PARTIES.values(), ids=PARTIES)
@pytest.mark.parametrize("roles", [(Role.APPROVER,), tuple(Role)], ids=["approver", "admin"])
def test_who_has_a_part_in_it_has_no_vote_admin_or_not(
    stage: Stage, run: dict[str, Any], head: dict[str, Any], why: str, roles: tuple[Role, ...]
) -> None:
    stage.queue(playbook([ask()], **head), **run)
    stage.work()

    with pytest.raises(AccessDenied, match=why):
        vote(stage, person("rhea", *roles), asked(stage).digest)

    assert asked(stage).state == "pending"


def test_without_four_eyes_one_person_may_ask_and_agree(stage: Stage) -> None:
    stage.queue(playbook([ask(four_eyes=False)]), requested_by="user:rhea")
    stage.work()

    stage.answer("rhea")
    stage.work()

    assert stage.of(1).state == "done"


ENDS = {
    "reject": ({}, "done", {"approved": False, "state": "expired", "by": []}),
    "fail": ({"on_timeout": "fail"}, "failed", None),
}


@pytest.mark.parametrize(("more", "state", "output"), ENDS.values(), ids=ENDS)
def test_a_question_nobody_answers_ends_as_it_says(
    stage: Stage, more: dict[str, Any], state: str, output: object
) -> None:
    run = stage.run([ask(expires="1h", **more)])

    assert run.state == state
    assert output is None or stage.output("ask") == output


def test_a_question_nobody_answers_goes_to_others_for_as_long_again(stage: Stage) -> None:
    others = ask(expires="1h", on_timeout="escalate", escalate_to=["role:admin"])
    stage.queue(playbook([others]))
    stage.work()
    first = asked(stage)
    stage.clock.moment += timedelta(hours=1)
    stage.work()

    second = asked(stage)
    assert second.state == "pending"
    assert second.approvers_json == '["role:admin"]'
    assert second.expires - first.expires == timedelta(hours=1)
    stage.answer("ada")
    stage.work()
    assert stage.output("ask")["by"] == ["ada"]
    with Session(stage.database) as reading:
        assert "approval.escalate" in set(reading.exec(select(AuditRow.action)))


def test_what_changed_since_it_was_read_is_not_agreed_to(stage: Stage) -> None:
    ask_first = ask()
    held = limit("hold", when="${{ steps.ask.approved }}")
    stage.queue(playbook([ask_first, held]))
    stage.work()

    with pytest.raises(Illegal, match="read the plan again"):
        vote(stage, person("rhea"), "sha256:other")

    assert stage.effects() == {}


def test_an_answer_given_while_the_run_lies_down_is_not_lost(stage: Stage) -> None:
    """The vote and the worker meet at the run's row, whoever comes first."""
    book = playbook([ask(), touch("a", stage)])
    engine = stage.engine()
    for number in range(1, RACES + 1):
        stage.queue(book, dedup=f"race {number}")
        together = Barrier(2)

        def work() -> None:
            together.wait()  # noqa: B023 - the threads of this round end with it
            while engine.work():
                pass

        def answer() -> bool:
            together.wait()  # noqa: B023 - as above
            end = monotonic() + PATIENCE
            while monotonic() < end:
                try:
                    stage.answer("rhea")
                except ValueError:
                    continue  # nothing is asked yet
                return True
            return False

        with ThreadPoolExecutor(2) as pool:
            done = [pool.submit(work), pool.submit(answer)]
            assert done[1].result()
            done[0].result()
        stage.work()
        assert stage.of(number).state == "done", f"round {number}"

    assert len(stage.left()) == RACES
